"""Which requirement is proved by which test: the table in ``docs/requirements.md``.

    python -m tests.requirements        writes the table anew, and says what is wrong

A row is one line of the document, ``- **S12** what holds. See: `where`.``; it is a claim unless it begins with
``*Not claimed.*``. A test proves rows by ``@pytest.mark.requirement("S12", "U3")``; a marked class or a ``pytestmark``
stands for all of its tests. Markers are read from the sources, so nothing is imported or run here.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.architecture.project_files import PROJECT, Module, modules

DOCUMENT = PROJECT / "docs/requirements.md"
COMMAND = "python -m tests.requirements"
NOT_CLAIMED = "*Not claimed.*"
HEAD = "| row | see | tests |\n|---|---|---|\n"

_ROW = re.compile(r"^- \*\*([A-Z]\d+)\*\* (.+)$", re.MULTILINE)
_TABLE = re.compile(re.escape(HEAD) + r"(?:[^\n]+\n)*")


@dataclass(frozen=True)
class Row:
    """One numbered statement."""

    id: str
    text: str

    @property
    def is_claimed(self) -> bool:
        return not self.text.startswith(NOT_CLAIMED)

    @property
    def see(self) -> str:
        """Where a person sees it: commands, pages, files."""
        return self.text.rpartition("See: ")[2].rstrip(".") if "See: " in self.text else ""


@dataclass(frozen=True)
class Proof:
    """A marked test, or a marked class or module, which stands for all of its tests."""

    row: str
    file: str
    name: str
    is_system: bool
    """Runs with `make test-system` alone."""


def rows_of(document: str) -> list[Row]:
    return [Row(*found) for found in _ROW.findall(document)]


def proofs_of(tests: Iterable[Module]) -> Iterator[Proof]:
    for module in tests:
        whole = [mark for node in module.tree.body if _is_pytestmark(node) for mark in _marks(node)]
        system = any(_is_system(mark) for mark in whole)
        for row in _rows_in(whole):
            yield Proof(row, module.path, "every test", system)
        for node, name in _tests_in(module.tree.body):
            is_system = system or any(_is_system(mark) for mark in node.decorator_list)
            for row in _rows_in(node.decorator_list):
                yield Proof(row, module.path, name, is_system)


def misplaced_marks(tests: Iterable[Module]) -> Iterator[str]:
    """``file:line`` of markers on what pytest does not run, or whose rows are not written out."""
    for module in tests:
        places = [mark for node in module.tree.body if _is_pytestmark(node) for mark in _marks(node)]
        places += [mark for node, _ in _tests_in(module.tree.body) for mark in node.decorator_list]
        good = {id(mark) for mark in places if _rows_in([mark])}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _mark_name(node) == "requirement" and id(node) not in good:
                yield f"{module.path}:{node.lineno}"


def table(rows: Iterable[Row], proofs: Iterable[Proof]) -> str:
    """One line per claimed row, so that two changes meet only where they prove the same row."""
    known = list(proofs)
    lines = [
        f"| {row.id} | {row.see} | {_named([proof for proof in known if proof.row == row.id])} |\n"
        for row in rows
        if row.is_claimed
    ]
    return HEAD + "".join(lines)


def with_table(document: str, tests: Iterable[Module]) -> str:
    """The document, its table written anew."""
    fresh = table(rows_of(document), proofs_of(tests))
    return _TABLE.sub(lambda _: fresh, document) if HEAD in document else f"{document.rstrip()}\n\n{fresh}"


def problems(document: str, tests: Iterable[Module]) -> list[str]:
    """What is wrong, one sentence each, with what to do; empty when all is well."""
    tests = list(tests)
    rows = {row.id: row for row in rows_of(document)}
    proved = {proof.row for proof in proofs_of(tests)}
    found = [f"{place}: a requirement marker stands on no test, or names no row" for place in misplaced_marks(tests)]
    for proof in proofs_of(tests):
        if proof.row not in rows:
            found.append(f"{proof.file}: {proof.name} is marked {proof.row!r}, a row that docs/requirements.md lacks")
        elif not rows[proof.row].is_claimed:
            found.append(
                f"{proof.file}: {proof.name} is marked {proof.row}, which stands as not claimed: "
                f"say in docs/requirements.md what holds now, and take {NOT_CLAIMED} away"
            )
    for row in rows.values():
        if row.is_claimed and row.id not in proved:
            found.append(f"{row.id} is claimed and no test proves it: mark the test, or write {NOT_CLAIMED}")
        if row.is_claimed and not row.see:
            found.append(f"{row.id} is claimed and does not say where to see it: end its line with 'See: `...`.'")
    if len(rows) != len(rows_of(document)):
        found.append("a row stands twice in docs/requirements.md")
    if with_table(document, tests) != document:
        found.append(f"the table in docs/requirements.md is stale; run: {COMMAND}")
    return found


def project_tests() -> list[Module]:
    return list(modules("tests"))


def main() -> None:
    tests = project_tests()
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(), tests))
    found = problems(DOCUMENT.read_text(), tests)
    claimed = [row for row in rows_of(DOCUMENT.read_text()) if row.is_claimed]
    print(f"{len(claimed)} rows claimed, {len(list(proofs_of(tests)))} proofs")
    print("\n".join(found))
    sys.exit(1 if found else 0)


def _tests_in(
    body: list[ast.stmt], inside: str = ""
) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, str]]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield node, node.name
            yield from _tests_in(node.body, f"{node.name}.")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node, inside + node.name


def _is_pytestmark(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets)


def _marks(assignment: ast.stmt) -> list[ast.expr]:
    assert isinstance(assignment, ast.Assign)
    value = assignment.value
    return value.elts if isinstance(value, ast.List | ast.Tuple) else [value]


def _mark_name(node: ast.expr) -> str:
    """``requirement`` of ``pytest.mark.requirement`` or ``pytest.mark.requirement(...)``."""
    name = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return name.removeprefix("pytest.mark.") if name.startswith("pytest.mark.") else ""


def _is_system(node: ast.expr) -> bool:
    return _mark_name(node) == "system"


def _rows_in(marks: Iterable[ast.expr]) -> list[str]:
    calls = [mark for mark in marks if isinstance(mark, ast.Call) and _mark_name(mark) == "requirement"]
    return [str(part.value) for call in calls for part in call.args if isinstance(part, ast.Constant)]


def _named(proofs: list[Proof]) -> str:
    by_file: dict[str, list[str]] = {}
    for proof in proofs:
        by_file.setdefault(proof.file, []).append(proof.name + (" (system)" if proof.is_system else ""))
    return "; ".join(f"`{file}`: {', '.join(names)}" for file, names in sorted(by_file.items()))


if __name__ == "__main__":
    main()
