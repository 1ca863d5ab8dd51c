"""Every claimed row has a test, every marker a row, and the table is fresh; and each of these is seen to fail."""

import ast

import pytest

from tests.architecture.project_files import Module
from tests.documents import unknown_names
from tests.requirements import COMMAND, DOCUMENT, problems, project_tests, rows_of, with_table

NUMBERED = {*(f"S{n}" for n in range(1, 65)), *(f"U{n}" for n in range(1, 10)), *(f"X{n}" for n in range(1, 16))}

SMALL = """\
- **S1** One thing. See: `README.md`.
- **S2** *Not claimed.* Another.
"""
PROVES_S1 = """
@pytest.mark.requirement("S1")
def test_one(): ...
"""


def small(document: str, source: str) -> list[str]:
    tests = [Module("tests/test_x.py", ast.parse(source))]
    return problems(with_table(document, tests), tests)


def test_every_claim_has_its_tests_and_the_table_is_fresh() -> None:
    found = problems(DOCUMENT.read_text(), project_tests())
    assert not found, "\n".join(found)


def test_every_numbered_row_has_its_line_in_order() -> None:
    rows = [row.id for row in rows_of(DOCUMENT.read_text())]
    assert set(rows) == NUMBERED
    assert rows == sorted(rows, key=lambda row: ("SUX".index(row[0]), int(row[1:])))


def test_what_a_row_says_to_look_at_exists() -> None:
    named = {row.id: unknown_names(row.see) for row in rows_of(DOCUMENT.read_text())}
    assert {row: names for row, names in named.items() if names} == {}


def test_a_sound_document_has_no_problem() -> None:
    assert small(SMALL, PROVES_S1) == []


@pytest.mark.parametrize(
    ("document", "source", "said"),
    [
        (SMALL, "", "S1 is claimed and no test proves it"),
        (SMALL, PROVES_S1.replace('"S1"', '"S1", "S9"'), "'S9', a row that docs/requirements.md lacks"),
        (SMALL, PROVES_S1.replace('"S1"', '"S1", "S2"'), "S2, which stands as not claimed"),
        (SMALL.replace(" See: `README.md`.", ""), PROVES_S1, "does not say where to see it"),
        (SMALL + SMALL, PROVES_S1, "a row stands twice"),
        (SMALL, PROVES_S1 + PROVES_S1.replace("test_one", "one"), "tests/test_x.py:5: a requirement marker stands"),
        (SMALL, PROVES_S1 + PROVES_S1.replace('"S1"', "ROW").replace("one", "two"), "names no row"),
    ],
    ids=["no test", "unknown row", "not claimed", "nowhere to see", "twice", "no test below", "no text"],
)  # fmt: skip
def test_a_problem_is_found(document: str, source: str, said: str) -> None:
    assert any(said in problem for problem in small(document, source)), small(document, source)


def test_a_stale_table_is_found_and_one_command_mends_it() -> None:
    tests = [Module("tests/test_x.py", ast.parse(PROVES_S1))]
    fresh = with_table(SMALL, tests)
    renamed = [Module("tests/test_x.py", ast.parse(PROVES_S1.replace("test_one", "test_another")))]
    assert problems(fresh, renamed) == [f"the table in docs/requirements.md is stale; run: {COMMAND}"]
    assert problems(with_table(fresh, renamed), renamed) == []
    assert "`tests/test_x.py`: test_another |" in with_table(fresh, renamed)


def test_classes_modules_and_system_tests_are_told_apart() -> None:
    source = """
import pytest
pytestmark = [pytest.mark.system, pytest.mark.requirement("S1")]
@pytest.mark.requirement("S1")
class TestAll:
    @pytest.mark.requirement("S1")
    def test_in_it(self): ...
"""
    document = with_table(SMALL, [Module("tests/test_x.py", ast.parse(source))])
    assert "| every test (system), TestAll (system), TestAll.test_in_it (system) |" in document.replace(
        "`tests/test_x.py`: ", ""
    )
