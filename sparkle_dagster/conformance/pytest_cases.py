"""The conformance kit for pytest: inherit it.

    class TestMyLipSync(ProviderCases):
        provider = MyLipSyncProvider
        options = {"lead_ms": 20}                      # optional

That is enough for a script, lip-sync, video, qa or media provider: the kit brings its own small media. Fixtures of
your own replace them:

        @pytest.fixture
        def good_request(self, sparkle_store):         # a small request that succeeds
            return LipSyncRequest(audio_track=sparkle_store.put(Path("voice.wav"), "audio/wav"), video_stub=...)

        @pytest.fixture
        def bad_requests(self, good_request, sparkle_media):   # what must end as ProviderRejected, by what is wrong
            return {"no face": good_request.model_copy(update={"video_stub": sparkle_media.noise_as("image/png")})}

A provider that opens no media (most no-ops) returns ``{}`` for ``bad_requests``; that case is then skipped, visibly. A
no-op inherits ``NoOpCases`` instead. ``measured_fields`` names metrics that are measurements of the run, such as
``render_seconds``: equal requests need not repeat them. A fixture ``models`` gives weights.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from contracts.context import ModelFile
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import Task
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.cases import CASES, NO_OP_CASES, Case
from sparkle_dagster.conformance.requests import SmallMedia, bad_requests, good_request
from sparkle_dagster.conformance.trial import CaseFailed, CaseSkipped, Trial


class ProviderCases:
    """Inherited as it is; ``provider`` is the subclass's."""

    provider: ClassVar[type[Task[Any, Any]]]
    options: ClassVar[Mapping[str, Any]] = {}
    measured_fields: ClassVar[frozenset[str]] = frozenset({"render_seconds"})

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Path:
        """A file that claims to be a WAV and is noise."""
        path = tmp_path / "broken.wav"
        path.write_bytes(bytes(range(256)) * 16)
        return path

    @pytest.fixture
    def good_request(self, standard_trial: Trial) -> TaskRequest:
        return standard_trial.good_request

    @pytest.fixture
    def bad_requests(self, standard_trial: Trial) -> Mapping[str, TaskRequest]:
        return standard_trial.bad_requests

    @pytest.fixture
    def models(self) -> Mapping[str, ModelFile]:
        return {}

    @pytest.fixture
    def standard_trial(self, sparkle_media: SmallMedia, models: Mapping[str, ModelFile], tmp_path: Path) -> Trial:
        """With the standard requests of the capability."""
        trial = self._trial(
            sparkle_media.store,
            models,
            tmp_path / "standard",
            lambda: good_request(trial, sparkle_media),
            lambda: bad_requests(trial, sparkle_media),
        )
        return trial

    @pytest.fixture
    def trial(
        self,
        request: pytest.FixtureRequest,
        sparkle_store: LocalArtifactStore,
        models: Mapping[str, ModelFile],
        tmp_path: Path,
    ) -> Trial:
        return self._trial(
            sparkle_store,
            models,
            tmp_path / "trial",
            lambda: request.getfixturevalue("good_request"),
            lambda: request.getfixturevalue("bad_requests"),
        )

    @pytest.fixture
    def result(self, trial: Trial) -> TaskResult:
        """Of the good request."""
        return trial.result

    def _trial(
        self,
        store: LocalArtifactStore,
        models: Mapping[str, ModelFile],
        folder: Path,
        good: Callable[[], TaskRequest],
        bad: Callable[[], Mapping[str, TaskRequest]],
    ) -> Trial:
        return Trial(self.provider, store, folder, good, bad, self.options, models, self.measured_fields)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    def test_it(self, case: Case, trial: Trial) -> None:
        _hold(case, trial)


class NoOpCases(ProviderCases):
    """A capability's no-op: honest about having done nothing."""

    @pytest.mark.parametrize("case", NO_OP_CASES, ids=lambda case: case.__name__)
    def test_no_op(self, case: Case, trial: Trial) -> None:
        _hold(case, trial)


def _hold(case: Case, trial: Trial) -> None:
    try:
        case(trial)
    except CaseSkipped as skipped:
        pytest.skip(str(skipped))
    except CaseFailed as failure:
        pytest.fail(f"{trial.provider.__name__}: {case.__doc__}: {failure}")
