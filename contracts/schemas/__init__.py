"""JSON Schemas of every contract, and of the two configuration files as a person writes them.

Generated: ``python -m contracts.schemas`` writes the ``*.schema.json`` files beside this one. Editors check and
complete the YAML files with them; other languages read the contracts. Validation itself is pydantic's.
"""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any, cast

import contracts
from contracts.base import Contract
from contracts.tool_registry import ToolRegistry
from contracts.workflow import WorkflowSpec

COMMAND = "python -m contracts.schemas"
FOLDER = Path(__file__).parent
SUFFIX = ".schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

JsonSchema = dict[str, Any]


def contract_types() -> tuple[type[Contract], ...]:
    """Every contract of this package, by name."""
    for module in pkgutil.iter_modules(contracts.__path__, "contracts."):
        importlib.import_module(module.name)
    return tuple(sorted(_subclasses(Contract), key=lambda contract: contract.__name__))


def schema_files() -> dict[str, str]:
    """File name -> text of each schema, as it must stand in ``FOLDER``."""
    schemas = {contract.__name__: _schema_of(contract) for contract in contract_types()}
    schemas["workflow"] = _schema_of(WorkflowSpec)
    schemas["tool_registry"] = _tool_registry_as_written()
    return {f"{name}{SUFFIX}": _text(schema) for name, schema in schemas.items()}


def stale_files(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of files in ``folder`` that are missing, different or left over."""
    expected = schema_files()
    found = {path.name: path.read_text(encoding="utf-8") for path in folder.glob(f"*{SUFFIX}")}
    return tuple(sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)))


def write_schemas(folder: Path = FOLDER) -> tuple[str, ...]:
    """Bring ``folder`` up to date; names of the files that changed."""
    expected = schema_files()
    changed = stale_files(folder)
    for name in changed:
        if name in expected:
            (folder / name).write_text(expected[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def _subclasses(contract: type[Contract]) -> set[type[Contract]]:
    """Those of this package: a stranger's contracts, or a test's, are their own affair."""
    direct = {found for found in contract.__subclasses__() if found.__module__.startswith("contracts.")}
    return direct.union(*(_subclasses(found) for found in direct))


def _schema_of(contract: type[Contract]) -> JsonSchema:
    schema = contract.model_json_schema(mode="validation")
    versions = {found.__name__: found.VERSION for found in contract_types()}
    for name, part in [(contract.__name__, schema), *schema.get("$defs", {}).items()]:
        if name in versions:
            text = part["properties"]["schema_version"]["description"]
            part["properties"]["schema_version"] = {"const": versions[name], "description": text}
    _close_patterns(schema)
    return schema


def _close_patterns(schema: object) -> None:
    """Names beside a pattern are refused by the contracts; pydantic's schema leaves them open."""
    if isinstance(schema, list):
        for item in cast(list[object], schema):
            _close_patterns(item)
    if isinstance(schema, dict):
        part = cast(JsonSchema, schema)
        if "patternProperties" in part:
            part.setdefault("additionalProperties", False)
        for item in part.values():
            _close_patterns(item)


def _tool_registry_as_written() -> JsonSchema:
    """Capabilities are top-level keys of the file, beside the sections with fixed names."""
    schema = _schema_of(ToolRegistry)
    capabilities: JsonSchema = schema["properties"].pop("capabilities")
    schema["required"].remove("capabilities")
    (pattern, settings), *_ = capabilities["patternProperties"].items()
    return {**schema, "additionalProperties": settings, "propertyNames": {"pattern": pattern}}


def _text(schema: JsonSchema) -> str:
    return json.dumps({"$schema": DIALECT, **schema}, indent=2, ensure_ascii=False) + "\n"
