"""The conformance kit: what every provider of every capability must do. Inherit it; about ten lines per provider.

    class TestMyLipSync(ProviderCases):
        provider = MyLipSyncProvider
        options = {"lead_ms": 20}                      # optional

        @pytest.fixture
        def good_request(self, put, samples):          # a small request that succeeds; refs made with ``put``
            return LipSyncRequest(audio_track=put(samples / "voice_short.wav"), video_stub=put(...))

        @pytest.fixture
        def bad_requests(self, put, samples, broken):  # what must end as ProviderRejected, by what is wrong with it
            return {"no face file": LipSyncRequest(audio_track=..., video_stub=put(broken))}

A provider that opens no media (most no-ops) returns ``{}`` for ``bad_requests``; its test is then skipped, visibly. A
no-op inherits ``NoOpCases`` instead. ``measured_fields`` names metrics that are measurements of the run, such as
``render_seconds``: equal requests need not repeat them. ``prepared`` may add a context's ``models``.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity
from contracts.context import ProviderContext
from contracts.errors import ProviderRejected
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import Task
from sparkle_dagster.artifacts.local import LocalArtifactStore


class ProviderCases:
    """Inherited as it is; ``provider``, ``good_request`` and ``bad_requests`` are the subclass's."""

    provider: ClassVar[type[Task[Any, Any]]]
    options: ClassVar[dict[str, Any]] = {}
    measured_fields: ClassVar[frozenset[str]] = frozenset({"render_seconds"})

    @pytest.fixture
    def good_request(self) -> TaskRequest:
        raise NotImplementedError(f"{type(self).__name__} must define the fixture good_request")

    @pytest.fixture
    def bad_requests(self) -> dict[str, TaskRequest]:
        raise NotImplementedError(f"{type(self).__name__} must define the fixture bad_requests")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Path:
        """A file that claims to be a WAV and is noise."""
        path = tmp_path / "broken.wav"
        path.write_bytes(bytes(range(256)) * 16)
        return path

    @pytest.fixture
    def result(self, good_request: TaskRequest, store: LocalArtifactStore, tmp_path: Path) -> TaskResult:
        return self.run(good_request, store, tmp_path / "provider")

    def run(self, request: TaskRequest, store: LocalArtifactStore, temp_dir: Path) -> TaskResult:
        """Run as the platform does: read the request's own inputs, and nothing else of the store."""
        temp_dir.mkdir()
        scoped = store.scoped(refs_in(request))
        context = ProviderContext(logger=logging.getLogger("provider"), artifacts=scoped, temp_dir=temp_dir)
        return self.provider(self.provider.Options(**self.options), self.prepared(context)).run(request)

    def prepared(self, context: ProviderContext) -> ProviderContext:
        return context

    # -- the class --

    def test_says_what_it_is(self) -> None:
        assert self.provider.capability
        assert self.provider.version
        assert self.provider.lane in {"cpu", "gpu"}
        assert self.provider.__doc__

    def test_default_options_are_enough(self) -> None:
        assert self.provider.Options() is not None

    def test_unknown_option_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="no_such_option"):
            self.provider.Options(**self.options, no_such_option=1)

    def test_is_available_here(self) -> None:
        assert self.provider.unavailable(self.provider.Options(**self.options)) is None

    # -- a good request --

    def test_applicability_is_decided_without_reading_media(self, good_request: TaskRequest) -> None:
        nowhere = good_request.model_validate(_with_absent_refs(good_request.model_dump()))
        assert self.provider.not_applicable(self.provider.Options(**self.options), nowhere) is None

    def test_result_is_the_capabilitys_and_survives_storage(self, result: TaskResult) -> None:
        assert type(result) is self.provider.result_type
        assert type(result).parse_json(result.model_dump_json()) == result

    def test_result_names_its_provider(self, result: TaskResult) -> None:
        assert result.provider

    def test_all_that_the_result_names_is_stored(self, result: TaskResult, store: LocalArtifactStore) -> None:
        for ref in refs_in(result):
            store.verify(ref)

    def test_inputs_stay_as_they_were(
        self, good_request: TaskRequest, result: TaskResult, store: LocalArtifactStore
    ) -> None:
        for ref in refs_in(good_request):
            store.verify(ref)

    def test_equal_requests_give_equal_results_wherever_they_run(
        self, good_request: TaskRequest, result: TaskResult, store: LocalArtifactStore, tmp_path: Path
    ) -> None:
        if not self.provider.deterministic:
            pytest.skip("this provider does not promise equal results")
        other = LocalArtifactStore(tmp_path / "elsewhere" / "deeper" / "store")
        for ref in refs_in(good_request):
            with store.open(ref) as stream:
                other.put(stream, ref.media_type, ref.metadata)
        again = self.run(good_request, other, tmp_path / "elsewhere" / "work")
        assert self._lasting(again) == self._lasting(result)

    def test_leaves_nothing_outside_its_temp_dir(
        self, good_request: TaskRequest, store: LocalArtifactStore, watched_places: list[Path], tmp_path: Path
    ) -> None:
        self.run(good_request, store, tmp_path / "provider")
        assert {str(path) for place in watched_places for path in place.rglob("*")} == set()

    @pytest.fixture
    def watched_places(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
        """Empty folders as the working directory, the home and the system's temporary directory."""
        places = [tmp_path / name for name in ("cwd", "home", "tmp")]
        for place in places:
            place.mkdir()
        monkeypatch.chdir(places[0])
        monkeypatch.setenv("HOME", str(places[1]))
        monkeypatch.setenv("TMPDIR", str(places[2]))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield places
        assert Path.cwd() == places[0], "the provider changed the working directory"

    def test_changes_no_environment(self, good_request: TaskRequest, store: LocalArtifactStore, tmp_path: Path) -> None:
        before = dict(os.environ)
        self.run(good_request, store, tmp_path / "provider")
        assert dict(os.environ) == before

    def test_progress_goes_forward_and_stays_within_its_total(
        self, good_request: TaskRequest, store: LocalArtifactStore, tmp_path: Path
    ) -> None:
        shares: list[float] = []
        prepared = self.prepared
        watching = lambda done, total, note="": shares.append(done / total)  # noqa: E731
        self.prepared = lambda context: replace(prepared(context), progress=watching)  # type: ignore[method-assign]
        self.run(good_request, store, tmp_path / "provider")
        assert all(0 <= share <= 1.000001 for share in shares)
        assert shares == sorted(shares)

    # -- bad requests --

    def test_bad_input_is_rejected_in_words(
        self, bad_requests: dict[str, TaskRequest], store: LocalArtifactStore, tmp_path: Path
    ) -> None:
        if not bad_requests:
            pytest.skip("this provider opens no media")
        for number, (name, request) in enumerate(bad_requests.items()):
            with pytest.raises(ProviderRejected) as rejection:
                self.run(request, store, tmp_path / f"bad{number}")
            message = str(rejection.value)
            assert len(message.split()) >= 4, f"{name}: {message!r} tells a stranger nothing"
            assert str(tmp_path) not in message, f"{name}: the message shows where the store lies"

    def _lasting(self, result: TaskResult) -> object:
        return _without(result.model_dump(mode="json"), self.measured_fields)


class NoOpCases(ProviderCases):
    """A capability's no-op: honest about having done nothing."""

    def test_fidelity_is_passthrough(self, result: TaskResult) -> None:
        assert result.fidelity is Fidelity.PASSTHROUGH

    def test_has_no_options(self) -> None:
        assert not self.provider.Options.model_fields


def refs_in(value: object) -> list[ArtifactRef]:
    """Every artifact that a contract names, at any depth."""
    if isinstance(value, ArtifactRef):
        return [value]
    if isinstance(value, BaseModel):
        return [ref for name in type(value).model_fields for ref in refs_in(getattr(value, name))]
    if isinstance(value, dict):
        return [ref for item in value.values() for ref in refs_in(item)]
    if isinstance(value, list | tuple):
        return [ref for item in value for ref in refs_in(item)]
    return []


def _with_absent_refs(document: Any) -> Any:
    """The same document, its refs naming bytes that no store has."""
    if isinstance(document, dict):
        if "checksum" in document:
            return {**document, "checksum": "sha256:" + "0" * 64, "path": "artifacts/sha256/00/nowhere"}
        return {key: _with_absent_refs(item) for key, item in document.items()}
    if isinstance(document, list | tuple):
        return [_with_absent_refs(item) for item in document]
    return document


def _without(document: Any, names: frozenset[str]) -> Any:
    if isinstance(document, dict):
        return {key: _without(item, names) for key, item in document.items() if key not in names}
    if isinstance(document, list):
        return [_without(item, names) for item in document]
    return document
