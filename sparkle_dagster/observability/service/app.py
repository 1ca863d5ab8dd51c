"""The status service's routes. Each hands on what another module knows; nothing is worked out here."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from contracts.base import Model, readable
from contracts.errors import ArtifactError, ArtifactMissing, SparkleError, UploadRejected
from contracts.service import PlanRequest, RerunRequest, RulingRequest, StartRequest
from contracts.status import ProductionStatus
from sparkle_dagster.cli.productions import summary_of
from sparkle_dagster.cli.runs import cancel_runs
from sparkle_dagster.execution.decisions import rule
from sparkle_dagster.observability.production_view import Production, summarize, view_production
from sparkle_dagster.observability.report_page import Live, live_report
from sparkle_dagster.observability.service import intake
from sparkle_dagster.observability.service.choices import choices_of, start_plan_of
from sparkle_dagster.observability.service.files import VerifiedCopies, file_response
from sparkle_dagster.observability.service.guard import Guard, refused
from sparkle_dagster.observability.service.launching import Launcher, Started
from sparkle_dagster.observability.service.metrics import exposition
from sparkle_dagster.observability.service.openapi import openapi_document
from sparkle_dagster.observability.service.stream import stream
from sparkle_dagster.observability.service.watch import Watch
from sparkle_dagster.observability.store_status import unfinished_of

INDEX = Path(__file__).parent.parent / "index_page.html"
DIGEST = re.compile(r"[0-9a-f]{64}")
MOST_AT_ONCE = 200
MAX_BODY_BYTES = 64 * 1024
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Body = TypeVar("Body", bound=Model)
Handler = Callable[[Request], Awaitable[Response]]


class StatusApp:
    """One workspace's service."""

    def __init__(self, watch: Watch, launcher: Launcher) -> None:
        self._watch = watch
        self._workspace = watch.workspace
        self._launcher = launcher
        self._copies = VerifiedCopies(self._workspace.store)

    def asgi(self, token: str | None) -> Guard:
        """The application, guarded. See ``guard`` for what a token changes."""
        pages = [("GET", "/", self.index), ("GET", "/view/{production}", self.view)]
        routes = [Route(path, self._safe(handler), methods=[method]) for method, path, handler in self.table() + pages]
        return Guard(Starlette(routes=routes), token)

    def table(self) -> list[tuple[str, str, Handler]]:
        """Method, path, handler: what the OpenAPI document describes."""
        return [
            ("GET", "/status", self.status),
            ("GET", "/status/{production}", self.production_status),
            ("GET", "/status/{production}/events", self.production_events),
            ("GET", "/events", self.events),
            ("GET", "/metrics", self.metrics),
            ("GET", "/healthz", self.healthz),
            ("GET", "/readyz", self.readyz),
            ("GET", "/artifacts/{digest}", self.artifact),
            ("GET", "/choices", self.choices),
            ("POST", "/plan", self.plan),
            ("GET", "/productions", self.productions),
            ("POST", "/productions", self.start),
            ("GET", "/productions/{production}", self.summary),
            ("POST", "/productions/{production}/rerun", self.rerun),
            ("POST", "/productions/{production}/cancel", self.cancel),
            ("POST", "/productions/{production}/approve", self.approve),
            ("POST", "/productions/{production}/reject", self.reject),
            ("PUT", "/drops/{drop}/{name}", self.receive),
            ("GET", "/openapi.json", self.openapi),
        ]

    async def status(self, _request: Request) -> Response:
        return Response(self._watch.snapshot.body, media_type="application/json")

    async def production_status(self, request: Request) -> Response:
        status = self._watch.projection.production(request.path_params["production"])
        if status is None:
            return _unknown(request)
        return JSONResponse(self._watch.detailed(status).model_dump(mode="json"))

    async def production_events(self, request: Request) -> Response:
        production = request.path_params["production"]
        if self._watch.projection.production(production) is None:
            return _unknown(request)
        return self._stream(request, production)

    async def events(self, request: Request) -> Response:
        return self._stream(request, None)

    async def metrics(self, _request: Request) -> Response:
        if not any(sink.kind == "prometheus" for sink in self._workspace.registry.settings.sinks):
            return refused(404, "expected a sink {kind: prometheus} in settings.sinks, found none; add it")
        return Response(await asyncio.to_thread(exposition, self._watch), headers={"content-type": METRICS_TYPE})

    async def healthz(self, _request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(self, _request: Request) -> Response:
        """Whether its answers are of now."""
        if self._watch.is_fresh:
            return JSONResponse({"ready": True})
        return refused(503, "expected a look at the installation within the last 30 s, had none; see the service's log")

    async def artifact(self, request: Request) -> Response:
        digest = request.path_params["digest"]
        ref = self._watch.projection.artifact(digest) if DIGEST.fullmatch(digest) else None
        if ref is None:
            return refused(404, f"expected the SHA-256 of an artifact of this workspace, got {digest[:64]!r}")
        try:
            return file_response(await asyncio.to_thread(self._copies.path_of, ref), ref)
        except ArtifactMissing as error:
            return refused(404, str(error))

    async def choices(self, _request: Request) -> Response:
        return JSONResponse((await asyncio.to_thread(choices_of, self._workspace)).model_dump(mode="json"))

    async def plan(self, request: Request) -> Response:
        wanted = await _body(request, PlanRequest)
        plan = await asyncio.to_thread(start_plan_of, self._workspace, wanted)
        return JSONResponse(plan.model_dump(mode="json"))

    async def productions(self, request: Request) -> Response:
        query = request.query_params
        limit, offset = (_number(query.get(name, ""), default) for name, default in (("limit", 50), ("offset", 0)))
        found = self._watch.projection.search(
            query.get("q", ""), query.get("state", ""), min(limit, MOST_AT_ONCE), offset
        )
        return JSONResponse([self._watch.detailed(status).model_dump(mode="json") for status in found])

    async def summary(self, request: Request) -> Response:
        try:
            summary = await asyncio.to_thread(summary_of, self._workspace, request.path_params["production"])
        except ArtifactMissing:
            return _unknown(request)
        return JSONResponse(summary.model_dump(mode="json"))

    async def receive(self, request: Request) -> Response:
        drop, name = request.path_params["drop"], request.path_params["name"]
        try:
            size = await intake.receive(self._workspace, drop, name, request.stream())
        except ClientDisconnect:
            return refused(400, "the upload ended before the file was whole")
        return JSONResponse({"drop": drop, "name": name, "size_bytes": size}, 201)

    async def start(self, request: Request) -> Response:
        wanted = await _body(request, StartRequest)
        arguments = await asyncio.to_thread(intake.start_arguments, self._workspace, wanted)
        started = await asyncio.to_thread(self._launcher.start, arguments)
        if started.is_settled:
            await asyncio.to_thread(intake.forget, self._workspace, wanted.drop)
        return await self._started(started)

    async def rerun(self, request: Request) -> Response:
        production = request.path_params["production"]
        if self._watch.projection.production(production) is None:
            return _unknown(request)
        arguments = intake.rerun_arguments(production, await _body(request, RerunRequest))
        return await self._started(await asyncio.to_thread(self._launcher.start, arguments, production))

    async def cancel(self, request: Request) -> Response:
        production = request.path_params["production"]
        if self._watch.projection.production(production) is None:
            return _unknown(request)
        cancelled = await asyncio.to_thread(cancel_runs, self._workspace, production)
        return JSONResponse({"production": production, "cancelled": cancelled})

    async def approve(self, request: Request) -> Response:
        return await self._ruled(request, "approve")

    async def reject(self, request: Request) -> Response:
        return await self._ruled(request, "reject")

    async def index(self, _request: Request) -> Response:
        """The page that lists productions and starts new ones."""
        return _page(INDEX.read_text(encoding="utf-8"))

    async def view(self, request: Request) -> Response:
        """The page of one production, which follows it while it is made."""
        status = self._watch.projection.production(request.path_params["production"])
        if status is None:
            return _unknown(request)
        return _page(await asyncio.to_thread(self._rendered, self._watch.detailed(status)))

    def _rendered(self, status: ProductionStatus) -> str:
        try:
            view = view_production(self._workspace, status.production)
        except ArtifactMissing:
            view = Production(status.production, self._workspace, ())  # nothing of it is made yet
        logs = sorted((self._workspace.settings.home / "logs").glob(f"{status.production}-*.log"))
        summary = summarize(view, unfinished_of(status, self._workspace), str(logs[-1]) if logs else "")
        web = self._workspace.registry.settings.services.webserver
        return live_report(view, summary, Live(status, f"http://{web.host}:{web.port}"))

    async def openapi(self, _request: Request) -> Response:
        return JSONResponse(
            openapi_document((method, path, handler.__name__) for method, path, handler in self.table())
        )

    async def _ruled(self, request: Request, verdict: Literal["approve", "reject"]) -> Response:
        """Keep a person's word; the sensor `decisions` carries on from it."""
        production = request.path_params["production"]
        if self._watch.projection.production(production) is None:
            return _unknown(request)
        said = await _body(request, RulingRequest)
        ruling = await asyncio.to_thread(rule, self._workspace, production, verdict, by=said.by, note=said.note)
        return JSONResponse(ruling.model_dump(mode="json"))

    async def _started(self, started: Started) -> Response:
        if run_id := started.document.get("run_id"):
            await asyncio.to_thread(self._watch.notice, run_id)
        headers = {"Retry-After": "5"} if started.status == 429 else None
        return JSONResponse(started.document, started.status, headers)

    def _stream(self, request: Request, production: str | None) -> Response:
        last = request.headers.get("last-event-id") or request.query_params.get("after", "")
        after = int(last) if last.isdecimal() else None
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            stream(self._watch, production, after), media_type="text/event-stream", headers=headers
        )

    def _safe(self, handler: Handler) -> Handler:
        """Typed errors as answers."""

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except intake.TooLarge as error:
                return refused(413, str(error))
            except UploadRejected as error:
                return refused(422, str(error), kind="UploadRejected")
            except ArtifactError as error:
                return refused(500, str(error), kind=type(error).__name__)
            except SparkleError as error:
                return refused(422, str(error), kind=type(error).__name__)

        answer.__name__ = handler.__name__
        return answer


async def _body(request: Request, kind: type[Body]) -> Body:
    """Raises: UploadRejected: it is not what ``kind`` says."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise intake.TooLarge(f"expected a JSON document of at most {MAX_BODY_BYTES} bytes, got more")
    try:
        return kind.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise UploadRejected(f"{kind.__name__}: {readable(error)}") from error


def _page(text: str) -> Response:
    """A page of ours: it may ask this service, and nobody else."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
        "media-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(text, headers=headers)


def _unknown(request: Request) -> Response:
    return refused(404, f"expected a production of this workspace, got {request.path_params['production'][:80]!r}")


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else default
