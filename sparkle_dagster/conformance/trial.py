"""A provider on trial: its class, requests that it must and must not serve, and a store of its own."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.context import ModelFile, Progress, ProviderContext
from contracts.errors import NotApplicable, ProviderRejected
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import ProviderOptions
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.registry.artifact_refs import find_refs
from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.discovery import AnyTask
from sparkle_dagster.registry.wire import ModelSpec


class CaseFailed(AssertionError):
    """The provider breaks a promise; the message says what was expected and what came."""


class CaseSkipped(Exception):
    """The case says nothing of this provider; the message says why."""


def expect(holds: object, message: str) -> None:
    """Raise CaseFailed with ``message`` unless ``holds``."""
    if not holds:
        raise CaseFailed(message)


@dataclass
class Trial:
    """All that a case needs. A case may run the provider as often as it likes: each run has a fresh folder."""

    provider: type[AnyTask]
    store: LocalArtifactStore
    folder: Path
    """Empty at first, and nobody else's."""
    good: Callable[[], TaskRequest]
    """Makes a small request that succeeds; its artifacts lie in ``store``."""
    bad: Callable[[], Mapping[str, TaskRequest]]
    """Makes what must end as ProviderRejected, by what is wrong with it; empty where the provider opens nothing."""
    given_options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    models: Mapping[str, ModelFile] = field(default_factory=dict[str, ModelFile])
    measured_fields: frozenset[str] = frozenset({"render_seconds"})
    """Fields of the result that measure the run: equal requests need not repeat them."""
    _runs: int = field(default=0, repr=False)

    @property
    def options(self) -> ProviderOptions:
        return self.provider.Options.model_validate(dict(self.given_options))

    @property
    def unavailable(self) -> str | None:
        """Why the platform would pass it over on this machine; None when it would not."""
        given = {name: self.models.get(name) for name in self.options.model_names}
        return ProviderCandidate(
            capability=self.provider.capability,
            name=self.provider.__name__,
            target=self.provider.__module__,
            provider=self.provider,
            options=self.options,
            written=self.given_options,
            models={
                name: ModelSpec(path=model.path, sha256=model.sha256, licence=model.licence) if model else None
                for name, model in given.items()
            },
        ).unavailable

    @cached_property
    def good_request(self) -> TaskRequest:
        return self.good()

    @cached_property
    def bad_requests(self) -> Mapping[str, TaskRequest]:
        return self.bad()

    @cached_property
    def result(self) -> TaskResult:
        """Of the good request."""
        return self.run(self.good_request)

    def run(
        self, request: TaskRequest, *, store: LocalArtifactStore | None = None, progress: Progress | None = None
    ) -> TaskResult:
        """Run in this process as the platform does in another: read the request's inputs, and nothing else stored.

        Raises:
            CaseFailed: it raised, or answered with another type.
            ProviderRejected: it says that the input is bad.
        NotApplicable: it says that the request is not for it.
        """
        scoped = (store or self.store).scoped(find_refs(request))
        context = ProviderContext(
            logger=logging.getLogger("sparkle.conformance"),
            artifacts=scoped,
            temp_dir=self.fresh_folder(),
            progress=progress or _unwatched,
            models=dict(self.models),
        )
        try:
            answer: object = self.provider(self.options, context).run(request)
        except (ProviderRejected, NotApplicable):
            raise
        except Exception as error:
            raise CaseFailed(f"expected a result, run() raised {type(error).__name__}: {error}") from error
        if type(answer) is not self.provider.result_type:
            wanted = self.provider.result_type.__name__
            raise CaseFailed(f"expected run() to return a {wanted}, got {type(answer).__name__}")
        return answer

    def fresh_folder(self) -> Path:
        self._runs += 1
        path = self.folder / f"run-{self._runs}"
        path.mkdir(parents=True)
        return path

    def refs_of(self, value: TaskRequest | TaskResult) -> list[ArtifactRef]:
        return list(find_refs(value))


def _unwatched(done: float, total: float, note: str = "") -> None:
    """Progress that nobody watches."""
