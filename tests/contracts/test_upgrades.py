"""A document of any older version is lifted step by step; a gap or a newer version is refused."""

import pytest

from contracts import base
from contracts.base import Contract, Document, upgrades
from contracts.errors import ContractViolation


class Clip(Contract):
    """A throw-away contract: 1 had ``name``; 2 called it ``title``; 3 adds ``length_seconds`` from ``length_ms``."""

    VERSION = 3

    title: str
    length_seconds: float


class Holder(Contract):
    """An older document may stand inside another one."""

    clip: Clip


@pytest.fixture(autouse=True)
def no_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that a test registers end with it."""
    monkeypatch.setattr(base, "_STEPS", {})


@pytest.fixture
def chain(no_steps: None) -> None:
    @upgrades(Clip, 1)
    def _name_is_title(document: Document) -> Document:
        document["title"] = document.pop("name")
        return document

    @upgrades(Clip, 2)
    def _seconds(document: Document) -> Document:
        return {"title": document["title"], "length_seconds": document["length_ms"] / 1000}


@pytest.mark.requirement("S23", "X6")
@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize(
    "document",
    [
        {"schema_version": 1, "name": "a", "length_ms": 1500},
        {"schema_version": 2, "title": "a", "length_ms": 1500},
        {"schema_version": 3, "title": "a", "length_seconds": 1.5},
        {"title": "a", "length_seconds": 1.5},
    ],
)
def test_every_version_becomes_the_newest(document: Document) -> None:
    before = dict(document)
    assert Clip.parse(document).model_dump() == {"schema_version": 3, "title": "a", "length_seconds": 1.5}
    assert Holder.parse({"clip": document}).clip.schema_version == 3
    assert document == before


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(ContractViolation, match=r"expected schema_version 1\.\.3, got"):
        Clip.parse({"schema_version": version, "title": "a", "length_seconds": 1})


@pytest.mark.requirement("S23", "X6")
@pytest.mark.usefixtures("chain")
def test_a_newer_version_is_refused_with_what_to_do() -> None:
    with pytest.raises(ContractViolation, match=r"up to 3, got 4; .* upgrade this installation"):
        Clip.parse({"schema_version": 4, "title": "a", "length_seconds": 1})


def test_a_missing_step_is_refused() -> None:
    upgrades(Clip, 1)(lambda document: document)
    with pytest.raises(ContractViolation, match="no upgrade step from schema_version 2 to 3"):
        Clip.parse({"schema_version": 1, "title": "a", "length_seconds": 1})


def test_a_step_is_registered_once() -> None:
    upgrades(Clip, 1)(lambda document: document)
    with pytest.raises(ValueError, match="Clip: a step from schema_version 1 is already registered"):
        upgrades(Clip, 1)(lambda document: document)
