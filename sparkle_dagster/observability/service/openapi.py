"""The OpenAPI document, made from the route table and the contracts, so that it cannot say what is not there."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

from contracts import service
from contracts.base import Model
from contracts.events import NodeEvent, RunSummary
from contracts.production import Ruling
from contracts.status import InstallationStatus, ProductionStatus

_JSON = "application/json"
_REF = "#/components/schemas/{model}"
_MODELS: tuple[type[Model], ...] = (
    InstallationStatus,
    ProductionStatus,
    NodeEvent,
    RunSummary,
    service.Choices,
    service.StartRequest,
    service.RerunRequest,
    service.PlanRequest,
    service.StartPlan,
    service.RulingRequest,
    service.StartedRun,
    Ruling,
    service.ServiceError,
)
_TEXTS: dict[str, tuple[str, str]] = {
    "status": ("InstallationStatus", "Every production in flight, the queue, lanes, health, lost runs, sinks."),
    "production_status": ("ProductionStatus", "One production: each node's state, percentage and time left."),
    "production_events": ("", "Server-sent events of one production: status, node (numbered), progress, gap."),
    "events": ("", "Server-sent events of every production. Last-Event-ID goes on where a client was."),
    "metrics": ("", "Prometheus text format."),
    "healthz": ("", "The process answers."),
    "readyz": ("", "Its answers are of now."),
    "artifact": ("", "Stored bytes by their SHA-256, verified; ranges are answered."),
    "choices": ("Choices", "Nodes, providers, profiles and file kinds, from the tool registry."),
    "plan": ("StartPlan", "What the first run of these files would do, with these switches; starts nothing."),
    "productions": ("", "Productions by words (q) and state, newest first: a list of ProductionStatus."),
    "start": ("StartedRun", "Start what a drop's files make; 429 while all slots are busy."),
    "summary": ("RunSummary", "What was made: per-node metrics, artifact map, logs."),
    "rerun": ("StartedRun", "Make one node again, or a node and all that follows."),
    "cancel": ("", "Stop the runs of a production; what is committed stays."),
    "approve": ("Ruling", "A person approves the newest video that a policy has decided on; the daemon carries on."),
    "reject": ("Ruling", "A person rejects it."),
    "receive": ("", "Stream one file of a drop into the inbox; the body is the file."),
    "openapi": ("", "This document."),
}
_BODIES = {
    "start": "StartRequest",
    "rerun": "RerunRequest",
    "plan": "PlanRequest",
    "approve": "RulingRequest",
    "reject": "RulingRequest",
}
_QUERY = {"productions": ("q", "state", "limit", "offset"), "events": ("after",), "production_events": ("after",)}


def openapi_document(routes: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """
    Args:
        routes: method, path, name.
    """
    paths: dict[str, Any] = {}
    for method, path, name in routes:
        paths.setdefault(path, {})[method.lower()] = _operation(path, name)
    schemas: dict[str, Any] = {}
    for model in _MODELS:
        schema = model.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sparkle", "version": version("sparkle")},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(path: str, name: str) -> dict[str, Any]:
    answer, summary = _TEXTS[name]
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [_parameter(item, "path") for item in in_path]
    parameters += [_parameter(item, "query") for item in _QUERY.get(name, ())]
    good: dict[str, Any] = {"description": "as asked"}
    if answer:
        good["content"] = {_JSON: {"schema": {"$ref": _REF.format(model=answer)}}}
    code = {"start": "202", "rerun": "202", "receive": "201"}.get(name, "200")
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            code: good,
            "4XX": {
                "description": "what was expected and what came",
                "content": {_JSON: {"schema": {"$ref": _REF.format(model="ServiceError")}}},
            },
        },
    }
    if name in _BODIES:
        schema = {"$ref": _REF.format(model=_BODIES[name])}
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
    if name == "receive":
        operation["requestBody"] = {"required": True, "content": {"application/octet-stream": {}}}
    return operation


def _parameter(name: str, place: str) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": {"type": "string"}}
