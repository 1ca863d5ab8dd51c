"""The OpenAPI document describes what is routed, and refers to nothing that is not in it."""

import json
import re
from typing import Any, cast

import pytest

from sparkle_dagster.observability.service.app import StatusApp
from sparkle_dagster.observability.service.openapi import openapi_document
from sparkle_dagster.workspace import Workspace


@pytest.fixture
def document(workspace: Workspace) -> dict[str, Any]:
    watch = cast(Any, type("NoWatch", (), {"workspace": workspace}))
    routes = StatusApp(watch, cast(Any, None)).table()
    return openapi_document((method, path, handler.__name__) for method, path, handler in routes)


def test_every_reference_and_every_parameter_is_there(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert names == names & document["components"]["schemas"].keys()
    assert "ProductionStatus" in names
    for path, operations in document["paths"].items():
        for operation in operations.values():
            declared = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
            assert declared == set(re.findall(r"{(\w+)}", path))


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names)) == 19
