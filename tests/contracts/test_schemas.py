"""The JSON Schemas are fresh, and say of the shipped files and the samples what the contracts say."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from contracts.schemas import COMMAND, FOLDER, SUFFIX, contract_types, stale_files, write_schemas
from sparkle_dagster.yaml_file import load_document
from tests.conftest import PROJECT
from tests.contracts.test_samples import SAMPLES

SHIPPED = {
    "workflow": PROJECT / "configs" / "pipeline" / "workflow.yaml",
    "tool_registry": PROJECT / "configs" / "tool_registry.yaml",
}


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def stale_message(folder: Path) -> str:
    stale = stale_files(folder)
    return f"{', '.join(stale)}: not what the contracts say; run `{COMMAND}` and commit" if stale else ""


@pytest.mark.requirement("S20", "S59")
def test_the_schemas_are_fresh() -> None:
    assert stale_message(FOLDER) == ""


def test_a_stale_a_missing_and_a_left_over_schema_are_found(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    assert stale_message(tmp_path) == ""
    (tmp_path / f"ArtifactRef{SUFFIX}").write_text("{}")
    (tmp_path / f"workflow{SUFFIX}").unlink()
    (tmp_path / f"Gone{SUFFIX}").write_text("{}")
    message = stale_message(tmp_path)
    assert message.startswith(f"ArtifactRef{SUFFIX}, Gone{SUFFIX}, workflow{SUFFIX}: ")
    assert "python -m contracts.schemas" in message
    assert len(write_schemas(tmp_path)) == 3
    assert stale_message(tmp_path) == ""


@pytest.mark.requirement("S16")
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_valid_as_it_is_written(name: str) -> None:
    document = load_document(SHIPPED[name])
    assert [error.message for error in validator(name).iter_errors(document.data)] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_names_its_schema_for_editors(name: str) -> None:
    first = SHIPPED[name].read_text(encoding="utf-8").splitlines()[0]
    target = first.removeprefix("# yaml-language-server: $schema=")
    assert (SHIPPED[name].parent / target).resolve() == FOLDER / f"{name}{SUFFIX}"


def changed(name: str, path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    data = copy.deepcopy(load_document(SHIPPED[name]).data)
    part: Any = data
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("workflow", ("schema_version",), 2),
        ("workflow", ("colour",), "red"),
        ("workflow", ("nodes", 0, "retires"), {}),
        ("workflow", ("nodes", 0, "when"), True),
        ("workflow", ("nodes", 0, "outputs"), ["a", "b"]),
        ("workflow", ("nodes", 0, "lane"), "tpu"),
        ("tool_registry", ("lipsync", "provider"), []),
        ("tool_registry", ("lipsync", "shadow"), "wav2lip"),
        ("tool_registry", ("lipsync", "providers"), []),
        ("tool_registry", ("Lip Sync",), {"providers": ["a"]}),
        ("tool_registry", ("settings", "colour"), "red"),
        ("tool_registry", ("capabilities",), {}),
        ("tool_registry", ("models",), {"Bad Name": {"path": "a", "licence": "b"}}),
    ],
)
def test_a_wrong_file_is_not_valid(name: str, path: tuple[str | int, ...], value: Any) -> None:
    assert not validator(name).is_valid(changed(name, path, value))


def test_a_capability_of_a_strangers_package_is_valid() -> None:
    document = changed("tool_registry", ("translation",), {"providers": ["alpha"]})
    assert validator("tool_registry").is_valid(document)


@pytest.mark.parametrize("contract", [found.__name__ for found in contract_types()])
def test_a_stored_sample_is_valid(contract: str) -> None:
    version = {found.__name__: found.VERSION for found in contract_types()}[contract]
    document = json.loads((SAMPLES / f"{contract}.v{version}.json").read_text(encoding="utf-8"))
    assert [error.message for error in validator(contract).iter_errors(document)] == []
    assert not validator(contract).is_valid({**document, "schema_version": version + 1})
