"""The front door to providers.

    registry = ProviderRegistry.from_config("configs/tool_registry.yaml")
    lipsync = registry.resolve("lipsync")
    result = lipsync.run(request)

Works without Dagster. Not here: how a file is read (``config``), what runs where (``process_host``), what follows a
failure (``attempts``).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from contracts.artifacts import ArtifactRef
from contracts.base import Fidelity, canonical_json
from contracts.errors import ConfigError
from contracts.media import InspectionRequest, InspectionResult
from contracts.production import DeliveryProfile
from contracts.tasks import QAReviewTask
from contracts.tool_registry import CapabilitySettings, PlatformSettings
from contracts.workflow import RetrySpec
from sparkle_dagster.artifacts.store import ArtifactStore
from sparkle_dagster.registry.attempts import AttemptPolicy
from sparkle_dagster.registry.candidates import NO_OP, ProviderCandidate, ProviderCatalog
from sparkle_dagster.registry.config import RegistryConfig, load_config
from sparkle_dagster.registry.discovery import AnyTask, registered_tasks
from sparkle_dagster.registry.fingerprint import Fingerprint, fingerprint_of
from sparkle_dagster.registry.fork_server import fork_server
from sparkle_dagster.registry.lane_ray import RayLane
from sparkle_dagster.registry.lanes import Lane, LocalLane
from sparkle_dagster.registry.layers import Origin, among
from sparkle_dagster.registry.process_host import Place
from sparkle_dagster.registry.report import CapabilityReport, report_capability
from sparkle_dagster.registry.residents import Residents
from sparkle_dagster.registry.resolved_task import Resolution, ResolvedTask, resolved_task
from sparkle_dagster.registry.stores import open_store
from sparkle_dagster.registry.wire import ModelSpec, ProviderSpec
from sparkle_dagster.settings import Settings, load_settings
from sparkle_dagster.yaml_file import ValuePath, load_document

DEFAULT_TIMEOUT_SECONDS = 1800.0
_ANSWER_COUNTS_SECONDS = 10.0
INSPECTION = "media"
"""The capability that looks into every file; it is no node and cannot be disabled."""


class ProviderRegistry:
    """One workspace's tasks and providers as its files configure them. Read-only once loaded."""

    def __init__(self, config: RegistryConfig, settings: Settings, workspace: str) -> None:
        self.config = config
        self.workspace = workspace
        self.project_settings = settings
        self._tasks = _task_by_capability()
        self._catalog = ProviderCatalog(config, self._tasks, self.models)
        self._resolved: dict[tuple[Any, ...], ResolvedTask] = {}
        self._heard: dict[tuple[str, str], tuple[float, str | None]] = {}
        self._check()

    @classmethod
    def from_config(
        cls, path: str | Path, workspace: str | None = None, settings: Settings | None = None
    ) -> "ProviderRegistry":
        """Read and check a registry file with the workspace's overlay.

        Args:
            path: a relative one counts from the project's root.
            workspace: default: what ``settings`` selects.
            settings: default: what the environment selects for the project of ``path``.

        Raises:
            ConfigError: with file and line.
        """
        path = Path(path)
        settings = settings or load_settings(path.parent if path.is_absolute() else None)
        workspace = workspace or settings.workspace
        config = load_config(settings.project / path, settings, workspace, sorted(_task_by_capability()))
        return cls(config, settings, workspace)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """As the file names them, in its order."""
        return tuple(self.config.registry.capabilities)

    @property
    def tasks(self) -> Mapping[str, type[AnyTask]]:
        """Every installed task by its registered name, such as ``LipSyncTask``."""
        return registered_tasks()

    @property
    def settings(self) -> PlatformSettings:
        """The platform's own settings; paths are absolute."""
        return self.config.platform

    @property
    def profiles(self) -> Mapping[str, DeliveryProfile]:
        return self.config.profiles

    def explain(self, path: str | ValuePath) -> Origin:
        """The file and line that set a value, such as ``lipsync.enabled``."""
        return self.config.explain(path)

    @property
    def residents(self) -> Residents:
        """The processes that keep the instances of warm providers."""
        return Residents(self.project_settings.home, self.settings.warm.idle_s)

    def store(self) -> ArtifactStore:
        """This workspace's artifacts."""
        return open_store(self.settings.store, self.workspace)

    def task(self, capability: str) -> type[AnyTask]:
        """The capability's task class. Raises: ConfigError: no such capability."""
        self._settings_of(capability)
        return self._tasks[capability]

    def is_enabled(self, capability: str) -> bool:
        return self._settings_of(capability).enabled

    def candidates(
        self,
        capability: str,
        *,
        enabled: bool | None = None,
        provider: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[ProviderCandidate, ...]:
        """What would be tried, in order: the no-op alone where the capability is off, one where it is pinned.

        Args:
            enabled: False turns it off, True on, whatever the file says; None: as the file says.
            provider: pins one, by its name or as ``<capability>/<name>``; never over ``enabled: false``.
            options: changed over the file's, of the one that is pinned.

        Raises:
            ConfigError: unknown, or options that it does not take.
        """
        settings = self._settings_of(capability)
        if not (settings.enabled if enabled is None else enabled):
            return (self._catalog.candidate(capability, NO_OP),)
        if provider is not None:
            pinned = self._catalog.candidate(capability, _name_in(provider, capability))
            return (pinned.with_options(options) if options else pinned,)
        if options:
            raise ConfigError(f"{capability}: expected options with the provider that takes them, got {dict(options)}")
        return tuple(self._catalog.candidate(capability, name) for name in settings.providers)

    def load_early(self) -> None:
        """Begin to load what the listed providers import, for the attempts that will follow in this process."""
        specs = [candidate.spec for capability in self.capabilities for candidate in self.candidates(capability)]
        fork_server.load_early(list(dict.fromkeys(module for spec in specs for module in spec.preload)))

    def shadows(self, capability: str) -> tuple[ProviderCandidate, ...]:
        """Providers that run beside and are compared; none where the capability is off."""
        settings = self._settings_of(capability)
        names = settings.shadow if settings.enabled else ()
        return tuple(self._catalog.candidate(capability, name) for name in names)

    def fingerprint(self, candidate: ProviderCandidate) -> Fingerprint:
        """What decides a candidate's output besides its request."""
        return fingerprint_of(candidate, self.project_settings.home / "digests.json")

    def configured(self, capability: str, provider: str | None = None) -> list[dict[str, Any]]:
        """The candidates as the files have them, for a digest: nothing of what happens to be installed here."""
        settings = self._settings_of(capability)
        names: Sequence[str] = settings.providers if provider is None else (_name_in(provider, capability),)
        names = names if settings.enabled else (NO_OP,)
        return [{"provider": name, "options": self.config.options_as_written(capability, name)} for name in names]

    def lane_of(self, capability: str, provider: str | None = None) -> str:
        """Where the provider that would be selected now wants to run: ``cpu`` or ``gpu``."""
        for candidate in self.candidates(capability, provider=provider):
            # What another machine can do is asked when a node runs; definitions load without the network.
            is_elsewhere = candidate.provider is not None and candidate.lane in self.remote_lanes
            if is_elsewhere or candidate.unavailable is None:
                return candidate.lane
        return "cpu"

    def unavailable(self, candidate: ProviderCandidate, lane: str = "auto") -> str | None:
        """Why a candidate cannot run where it would now; None when it can.

        A cluster is asked, and its answer counts for ten seconds.

        Args:
            lane: as for ``resolve``.
        """
        name = candidate.lane if lane == "auto" else lane
        if name not in self.remote_lanes:
            return candidate.unavailable
        key = (candidate.full_name, name)
        heard_at, answer = self._heard.get(key, (-_ANSWER_COUNTS_SECONDS, None))
        if time.monotonic() - heard_at > _ANSWER_COUNTS_SECONDS:
            answer = self.remote_lanes[name].unavailable(candidate)
            self._heard[key] = (time.monotonic(), answer)
        return answer

    def resolve(
        self,
        capability: str,
        *,
        enabled: bool | None = None,
        provider: str | None = None,
        options: Mapping[str, Any] | None = None,
        retries: RetrySpec | None = None,
        timeout_seconds: float | None = None,
        lane: str = "auto",
    ) -> ResolvedTask:
        """A task whose ``run`` is selection, failover and deadline; an instance of the capability's task class.

        Args:
            enabled, provider, options: as for ``candidates``.
            retries: further attempts of one provider; default none.
            timeout_seconds: hard limit of one attempt.
            lane: where all candidates run, ``cpu`` or ``gpu``; ``auto``: each where it wants to.

        Raises:
            ConfigError: unknown capability or provider.
        """
        key = (capability, enabled, provider, canonical_json(options or {}), retries, timeout_seconds, lane)
        if key not in self._resolved:
            candidates = self.candidates(capability, enabled=enabled, provider=provider, options=options)
            self._resolved[key] = resolved_task(
                self._resolution(capability, candidates, enabled, retries, timeout_seconds, lane)
            )
        return self._resolved[key]

    def resolve_exactly(self, candidate: ProviderCandidate, *, timeout_seconds: float, lane: str) -> ResolvedTask:
        """As ``resolve``, of this candidate alone and once: no other provider, no retry, no least fidelity."""
        resolution = self._resolution(candidate.capability, (candidate,), True, None, timeout_seconds, lane)
        return resolved_task(replace(resolution, policy=AttemptPolicy()))

    def inspect(self, ref: ArtifactRef, *, previews: bool = True) -> InspectionResult:
        """Facts and previews of a stored file, found in a provider's process.

        Raises:
            ProviderError: it cannot be decoded, or is more than is allowed.
        """
        result: InspectionResult = self.resolve(INSPECTION).run(InspectionRequest(artifact=ref, previews=previews))
        return result

    def describe(self) -> tuple[CapabilityReport, ...]:
        """What is enabled and selected, why not the others, and what would mend it."""
        return tuple(self._describe(capability) for capability in self.capabilities)

    def _describe(self, capability: str) -> CapabilityReport:
        settings = self._settings_of(capability)
        listed = [self._catalog.candidate(capability, name) for name in settings.providers]
        others = [
            self._catalog.shown(capability, name)
            for name in self._catalog.names(capability)
            if name not in settings.providers
        ]
        licences = {
            candidate.name: model.licence
            for candidate in (*listed, *others)
            for name, model in self.config.registry.models.items()
            if getattr(candidate.options, "model", None) == name
        }
        no_op = None if settings.enabled else self._catalog.candidate(capability, NO_OP)
        place = "enabled" if no_op else "providers"
        origin = self.explain((capability, place))
        return report_capability(capability, listed, others, licences, no_op, origin, self.unavailable, settings.shadow)

    def _resolution(
        self,
        capability: str,
        candidates: tuple[ProviderCandidate, ...],
        enabled: bool | None,
        retries: RetrySpec | None,
        timeout_seconds: float | None,
        lane: str,
    ) -> Resolution:
        settings = self._settings_of(capability)
        is_on = settings.enabled if enabled is None else enabled
        policy = AttemptPolicy(
            retries=retries or RetrySpec(),
            min_fidelity=settings.min_fidelity if is_on else Fidelity.STUB,  # turned off on purpose is not a failure
            disabled=() if is_on else settings.providers,
        )
        return Resolution(
            task=self._tasks[capability],
            candidates=candidates,
            policy=policy,
            timeout_seconds=timeout_seconds or DEFAULT_TIMEOUT_SECONDS,
            inspector=None if capability == INSPECTION else self._inspector(),
            store=self.store(),
            models=self.models,
            lane=lane,
            lanes={name: self._lane(name) for name, _ in self.settings.lanes},
        )

    def _lane(self, name: str) -> Lane:
        place = Place(self.project_settings.home / "scratch", self.residents)
        return self.remote_lanes.get(name) or LocalLane(name, self.store(), place)

    @cached_property
    def remote_lanes(self) -> Mapping[str, RayLane]:
        """Those whose slots are on other machines, by name."""
        project = self.project_settings.project
        bound = {name: lane for name, lane in self.settings.lanes if lane.kind == "ray"}
        return {name: RayLane(name, lane, project, self.workspace) for name, lane in bound.items()}

    def _inspector(self) -> ProviderSpec:
        """The first media provider that can run here; without one no output could be checked."""
        candidates = self.candidates(INSPECTION)
        for candidate in candidates:
            if candidate.unavailable is None:
                return candidate.spec
        reasons = "; ".join(f"{candidate.name}: {candidate.unavailable}" for candidate in candidates)
        raise self.config.error(f"no provider of {INSPECTION} can run here: {reasons}", (INSPECTION, "providers"))

    @property
    def models(self) -> dict[str, ModelSpec]:
        """Weights by their names in the file; paths are absolute, whether or not the file is there."""
        return {
            name: ModelSpec(path=self.project_settings.resolve(model.path), sha256=model.sha256, licence=model.licence)
            for name, model in self.config.registry.models.items()
        }

    def _settings_of(self, capability: str) -> CapabilitySettings:
        capabilities = self.config.registry.capabilities
        if capability not in capabilities:
            raise self.config.error(f"unknown capability {capability!r}; {among(capabilities, capability)}", ())
        return capabilities[capability]

    def _check(self) -> None:
        if INSPECTION not in self.config.registry.capabilities:
            raise self.config.error(f"expected a section {INSPECTION!r}: every output is inspected by it", ())
        if not self.config.registry.capabilities[INSPECTION].enabled:
            raise self.config.error(
                f"{INSPECTION} cannot be disabled: every output is inspected by it", ("media", "enabled")
            )
        if self.config.registry.capabilities[INSPECTION].shadow:
            message = f"{INSPECTION} is no node, so nothing of it can run in shadow"
            raise self.config.error(message, (INSPECTION, "shadow"))
        self._catalog.check()
        for name in self.remote_lanes:
            self._check_reaches_the_store(name)
        for capability, task in self._tasks.items():
            if issubclass(task, QAReviewTask) and capability in self.config.registry.capabilities:
                self._check_limits(capability)

    def _check_reaches_the_store(self, name: str) -> None:
        if self.settings.store.kind == "local" and not self.remote_lanes[name].settings.shared_store:
            raise self.config.error(
                f"lane {name} runs on other machines, and settings.store is a folder of this one: expected a store "
                "that they reach too; say store: {kind: gcs, ...}, or, where the folder is the same files on every "
                f"machine (such as NFS), lanes: {{{name}: {{..., shared_store: true}}}}",
                ("settings", "lanes", name),
            )

    def _check_limits(self, capability: str) -> None:
        """Every limit of a profile is for a check that a listed reviewer makes, where all of them say which."""
        reviewers = [candidate.provider for candidate in self.candidates(capability, enabled=True)]
        checks = [found.checks for found in reviewers if found and issubclass(found, QAReviewTask) and found.checks]
        if len(checks) < len(reviewers):
            return
        known = frozenset[str]().union(*checks)
        for name, profile in self.profiles.items():
            for check_id in profile.limits.keys() - known:
                document = load_document(self.project_settings.resolve(self.config.registry.profiles[name].qa))
                raise document.error(f"unknown check {check_id!r}; {among(known, check_id)}", ("checks", check_id))


def _task_by_capability() -> dict[str, type[AnyTask]]:
    tasks: dict[str, type[AnyTask]] = {}
    for name, task in registered_tasks().items():
        first = tasks.setdefault(task.capability, task)
        if first is not task:
            raise ConfigError(f"the tasks {first.__name__} and {name} both say that they are {task.capability!r}")
    return tasks


def _name_in(provider: str, capability: str) -> str:
    """``mouth_warp`` of ``mouth_warp`` or ``lipsync/mouth_warp``."""
    prefix, _, name = provider.rpartition("/")
    if prefix not in {"", capability}:
        raise ConfigError(f"expected a provider of {capability}, got {provider!r}")
    return name
