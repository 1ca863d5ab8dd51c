"""Documents stored by every version so far stay readable: one sample per contract and version, kept for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.base import Contract
from contracts.errors import ContractViolation
from contracts.schemas import contract_types
from tests.conftest import PROJECT

SAMPLES = PROJECT / "tests" / "samples" / "contracts"


def problems(contract: type[Contract], folder: Path) -> list[str]:
    """What is wrong with the samples of one contract."""
    found: list[str] = []
    for version in range(1, contract.VERSION + 1):
        path = folder / f"{contract.__name__}.v{version}.json"
        try:
            found += _problems_of(contract, version, json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            found.append(f"{path.name} is missing: store one document of that version")
        except (ValueError, ContractViolation) as error:
            found.append(f"{path.name} is unreadable: {error}")
    return found


def _problems_of(contract: type[Contract], version: int, document: dict[str, Any]) -> list[str]:
    name = f"{contract.__name__}.v{version}.json"
    if document.get("schema_version") != version:
        return [f"{name} says schema_version {document.get('schema_version')!r}"]
    value = contract.parse(document)
    dumped = value.model_dump(mode="json")
    found = [] if contract.parse(dumped) == value else [f"{name} does not come back equal"]
    if version == contract.VERSION:
        found += [f"{name}: {place} is lost or changed" for place in lost(document, dumped)]
    return found


def lost(before: Any, after: Any, place: str = "") -> list[str]:
    """Places of ``before`` that are not the same in ``after``; fields that came later may stand in ``after``."""
    if isinstance(before, dict) and isinstance(after, dict):
        missing = [f"{place}.{key}" for key in before.keys() - after.keys()]
        both = sorted(before.keys() & after.keys())
        return missing + [item for key in both for item in lost(before[key], after[key], f"{place}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [item for index, (one, other) in pairs for item in lost(one, other, f"{place}[{index}]")]
    return [] if before == after else [place]


@pytest.mark.requirement("S23", "S55", "S59", "X6")
@pytest.mark.parametrize("contract", contract_types(), ids=lambda contract: contract.__name__)
def test_every_version_has_a_sample_that_still_reads(contract: type[Contract]) -> None:
    assert problems(contract, SAMPLES) == []


def test_every_sample_belongs_to_a_contract() -> None:
    known = {f"{found.__name__}.v{n}.json" for found in contract_types() for n in range(1, found.VERSION + 1)}
    assert {path.name for path in SAMPLES.iterdir()} == known


class Note(Contract):
    """A contract of this test's own."""

    text: str
    stars: int = 0


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, "Note.v1.json is missing"),
        ("{", "Note.v1.json is unreadable"),
        ('{"schema_version": 1}', "Note.v1.json is unreadable: Note: text: Field required"),
        ('{"schema_version": 2, "text": "a"}', "Note.v1.json says schema_version 2"),
        ('{"text": "a"}', "Note.v1.json says schema_version None"),
        ('{"schema_version": 1, "text": "a", "stars": "3"}', "Note.v1.json: .stars is lost or changed"),
    ],
)
def test_a_bad_sample_is_found(tmp_path: Path, stored: str | None, expected: str) -> None:
    if stored is not None:
        (tmp_path / "Note.v1.json").write_text(stored)
    (found,) = problems(Note, tmp_path)
    assert found.startswith(expected)


def test_a_sample_without_a_field_that_came_later_is_good(tmp_path: Path) -> None:
    (tmp_path / "Note.v1.json").write_text('{"schema_version": 1, "text": "a"}')
    assert problems(Note, tmp_path) == []
