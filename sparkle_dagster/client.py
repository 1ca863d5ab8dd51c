"""The pipeline for agents and scripts: start, watch, fetch, rerun. A client of the status service, over HTTP.

    client = PipelineClient()
    production = client.start("voice.wav", transcript="voice.txt", title="Hello")
    for event in client.watch(production):
        print(event.node_id, event.status)
    files = client.fetch(production, "out")

Imports nothing of ours but contracts, so that it can be copied beside a script or used from another machine.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from contracts.artifacts import ArtifactRef
from contracts.events import NodeEvent, RunSummary
from contracts.production import Ruling
from contracts.service import Choices, StartPlan
from contracts.status import InstallationStatus, ProductionStatus

HOME = ".sparkle"
DELIVERABLES = {
    "assembled_video.assembled_video": "video.mp4",
    "assembled_video.captions_srt": "captions.srt",
    "assembled_video.captions_vtt": "captions.vtt",
    "assembled_video.poster": "poster.jpg",
}
"""What a person wants to have, by its place in the artifact map."""
_IN_FLIGHT = frozenset({"queued", "running"})
_BUSY = 429
_RECONNECT_SECONDS = 1.0
_START_SECONDS = 330.0
"""A start answers when its run is there; the service waits up to 300 s for that."""
_CHUNK_BYTES = 1 << 20


class PipelineError(Exception):
    """The service refused, with its reason."""


class PipelineClient:
    """One workspace's service. Safe to keep; closes its connections when it is closed or collected."""

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        home: str | Path = HOME,
        timeout_seconds: float = 60.0,
        patience_seconds: float = 3600.0,
    ) -> None:
        """
        Args:
            url: of the service; default: what `sparkle serve` of this project wrote into ``home``.
            token: of the workspace, where the service asks for one.
            timeout_seconds: of one request.
            patience_seconds: how long ``start`` and ``rerun`` wait while all slots of the service are busy.

        Raises:
            PipelineError: no service runs here.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url or _url_in(Path(home)), headers=headers, timeout=timeout_seconds)
        self._patience_seconds = patience_seconds
        self._after: dict[str, int] = {}

    def __enter__(self) -> "PipelineClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def start(
        self,
        audio: str | Path,
        *,
        face: str | Path | None = None,
        transcript: str | Path | None = None,
        disable: Iterable[str] = (),
        provider: Mapping[str, str] | None = None,
        **options: Any,
    ) -> str:
        """Upload and start; the production's key. The same files again give the same production, and start nothing.

        Args:
            disable: nodes whose no-op runs, this time.
            provider: node -> the one provider that may run, this time.
            options: title, language, profile, captions, tags.
        """
        drop = uuid.uuid4().hex
        for path in (Path(given) for given in (audio, face, transcript) if given):
            with path.open("rb") as stream:
                self._answer(self._http.put(f"/drops/{drop}/{path.name}", content=stream, timeout=None))
        body = {"drop": drop, "disable": list(disable), "provider": dict(provider or {}), **options}
        return self._started("/productions", body)

    def plan(
        self,
        audio: str | Path | None = None,
        *,
        face: str | Path | None = None,
        disable: Iterable[str] = (),
        provider: Mapping[str, str] | None = None,
    ) -> StartPlan:
        """What ``start`` with the same would do, as far as it can be told before the files are there. Starts nothing.

        Raises:
            PipelineError: a switch that cannot be met, with the reason.
        """
        digests = {role: _sha256(Path(path)) for role, path in (("audio", audio), ("face", face)) if path}
        body = {"disable": list(disable), "provider": dict(provider or {}), **digests}
        return StartPlan.model_validate(self._post("/plan", body))

    def rerun(
        self,
        production: str,
        *,
        only: str = "",
        from_: str = "",
        until: str = "",
        force: bool = False,
        disable: Iterable[str] = (),
        provider: Mapping[str, str] | None = None,
    ) -> str:
        """Make one node again, or a node and all that follows, until another; the production's key.

        Args:
            force: make it anew although the same result is stored.
        """
        chosen = {"only": only, "from": from_, "until": until, "force": force}
        body = {**chosen, "disable": list(disable), "provider": dict(provider or {})}
        return self._started(f"/productions/{production}/rerun", body)

    def cancel(self, production: str) -> list[str]:
        """Stop what is under way; ids of the runs that were told to stop."""
        return list(self._post(f"/productions/{production}/cancel", {})["cancelled"])

    def approve(self, production: str, *, by: str, note: str = "") -> Ruling:
        """Say, for ``by``, that the newest video which a policy has decided on is good; the daemon carries on."""
        return Ruling.model_validate(self._post(f"/productions/{production}/approve", {"by": by, "note": note}))

    def reject(self, production: str, *, by: str, note: str = "") -> Ruling:
        """Say, for ``by``, that it is not."""
        return Ruling.model_validate(self._post(f"/productions/{production}/reject", {"by": by, "note": note}))

    def watch(self, production: str) -> Iterator[NodeEvent]:
        """Every change of a node, once and in order, until nothing of the production is under way.

        After ``start`` or ``rerun`` of this client it begins with the first change of that run; else with the next one.
        A service that is started again meanwhile loses nothing.
        """
        after = self._after.pop(production, None)
        if after is None:
            status = self.status(production)
            if status.state not in _IN_FLIGHT:
                return
            after = status.event
        while True:
            try:
                for number, event in self._stream(production, after):
                    after = number
                    yield event
                    if event.status.is_terminal and self.status(production).state not in _IN_FLIGHT:
                        return
            except httpx.TransportError:
                time.sleep(_RECONNECT_SECONDS)
            if self._is_over(production, after):
                return

    def wait(self, production: str) -> ProductionStatus:
        """How it stands when nothing of it is under way any more."""
        for _ in self.watch(production):
            pass
        return self.status(production)

    def status(self, production: str) -> ProductionStatus:
        """As it is now: each node's state, percentage, time left."""
        return ProductionStatus.parse(self._get(f"/status/{production}"))

    def installation(self) -> InstallationStatus:
        """Everything under way, and whether what should be alive is."""
        return InstallationStatus.parse(self._get("/status"))

    def summary(self, production: str) -> RunSummary:
        """What was made: verdict, metrics of each node, artifacts."""
        return RunSummary.parse(self._get(f"/productions/{production}"))

    def choices(self) -> Choices:
        """Nodes, providers and profiles that can be chosen."""
        return Choices.model_validate(self._get("/choices"))

    def fetch(self, production: str, folder: str | Path) -> dict[str, Path]:
        """Download the video, captions and poster; file name -> where it is now. Each is compared with its digest."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        artifacts = self.summary(production).artifacts
        files: dict[str, Path] = {}
        for place, name in DELIVERABLES.items():
            if place in artifacts:
                files[name] = self.download(artifacts[place], target / name)
        return files

    def download(self, ref: ArtifactRef, to: Path) -> Path:
        """One artifact. Raises: PipelineError: what came is not what the digest says."""
        part, digest = to.with_name(f".{to.name}.part"), hashlib.sha256()
        with self._http.stream("GET", f"/artifacts/{ref.digest}") as answer, part.open("wb") as stream:
            if answer.is_error:
                answer.read()
            self._answer(answer)
            for chunk in answer.iter_bytes(_CHUNK_BYTES):
                digest.update(chunk)
                stream.write(chunk)
        if digest.hexdigest() != ref.digest:
            part.unlink()
            raise PipelineError(f"{to.name}: expected {ref.checksum}, got sha256:{digest.hexdigest()}; fetch it again")
        part.replace(to)
        return to

    def _started(self, path: str, body: Mapping[str, Any]) -> str:
        deadline = time.monotonic() + self._patience_seconds
        after = self.installation().event
        while True:
            answer = self._http.post(path, json=body, timeout=_START_SECONDS)
            if answer.status_code != _BUSY or time.monotonic() > deadline:
                break
            time.sleep(float(answer.headers.get("Retry-After", 5)))
        document = self._answer(answer).json()
        production = str(document["production"])
        if document["started"]:
            self._after[production] = after
        return production

    def _stream(self, production: str, after: int) -> Iterator[tuple[int, NodeEvent]]:
        headers = {"Last-Event-ID": str(after)}
        number, kind = after, ""
        with self._http.stream("GET", f"/status/{production}/events", headers=headers) as answer:
            if answer.is_error:
                answer.read()
            self._answer(answer)
            for line in answer.iter_lines():
                if line.startswith(":"):
                    return  # silence: the run may have ended after its last event was told, so look again
                name, _, value = line.partition(": ")
                if name == "id":
                    number = int(value)
                elif name == "event":
                    kind = value
                elif name == "data" and kind == "node":
                    yield number, NodeEvent.parse_json(value)

    def _is_over(self, production: str, after: int) -> bool:
        """Everything was told and nothing is under way; False while the service is away."""
        try:
            status = self.status(production)
        except httpx.TransportError:
            return False
        return status.state not in _IN_FLIGHT and status.event <= after

    def _get(self, path: str) -> Any:
        return self._answer(self._http.get(path)).json()

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._answer(self._http.post(path, json=body)).json()

    def _answer(self, answer: httpx.Response) -> httpx.Response:
        if not answer.is_error:
            return answer
        try:
            reason = str(answer.json()["error"])
        except (ValueError, KeyError, TypeError):
            reason = answer.text[:300]
        raise PipelineError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {reason}")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _url_in(home: Path) -> str:
    try:
        return str(json.loads((home / "service.json").read_text(encoding="utf-8"))["url"])
    except FileNotFoundError as error:
        raise PipelineError(
            f"expected a service of this project, found none ({home / 'service.json'}); start `sparkle serve`, "
            "or give its url"
        ) from error
