"""Documents speak of what is there: their commands, make targets, files and links exist."""

import re

import pytest

from tests.architecture.project_files import PROJECT, tracked_files
from tests.documents import unknown_names

DOCUMENTS = [
    file
    for file in tracked_files()
    if file.endswith(".md") and not file.startswith(("changelog.d/", "docs/decisions/"))
]


@pytest.mark.parametrize("file", DOCUMENTS)
@pytest.mark.requirement("S54", "S59")
def test_what_a_document_names_exists(file: str) -> None:
    text = re.sub(r"^```.*?^```", "", (PROJECT / file).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert unknown_names(text) == []
    links = re.findall(r"\]\(([^)#:\s]+)\)", text)
    assert [link for link in links if not ((PROJECT / file).parent / link).exists()] == []


@pytest.mark.parametrize(
    "name", ["sparkle nothing", "make nothing", "docs/nothing.md", "execution/nothing.py", "providers/nothing/"]
)
def test_a_name_of_nothing_is_found(name: str) -> None:
    assert unknown_names(f"see `{name}` and `sparkle status`, `docs/workflow.md`, `README.md`") == [name]
