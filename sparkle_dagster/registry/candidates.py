"""The providers a configuration may choose from: class, options, whether they can run here. Not here: running one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from contracts.base import readable
from contracts.errors import ConfigError, ProviderUnavailable
from contracts.production import ProductionPart, TaskRequest
from contracts.tasks import ProviderOptions
from contracts.tool_registry import CapabilitySettings
from sparkle_dagster.registry.config import RegistryConfig, located
from sparkle_dagster.registry.discovery import AnyTask, Registration, provider_class, registered_providers
from sparkle_dagster.registry.layers import among
from sparkle_dagster.registry.wire import ModelSpec, ProviderSpec

NO_OP = "noop"


@dataclass(frozen=True)
class AllowedLicences:
    """Of weights, and the file and line that say so."""

    names: tuple[str, ...]
    origin: str


@dataclass(frozen=True)
class ProviderCandidate:
    """One provider of a capability, ready to be asked. ``provider`` is None where its module cannot be imported."""

    capability: str
    name: str
    target: str
    provider: type[AnyTask] | None
    options: ProviderOptions
    written: Mapping[str, Any]
    """Its options as the files give them, ``${NAME}`` replaced; ``options`` was validated from this."""
    import_problem: str = ""
    package: str = ""
    licence: str = ""
    models: Mapping[str, ModelSpec | None] = field(default_factory=dict)
    """The files that its options name, such as weights; None where the tool registry has no such name."""
    licences: AllowedLicences | None = None
    forbidden: str | None = None
    """Why the workspace may not use it."""

    @property
    def full_name(self) -> str:
        return f"{self.capability}/{self.name}"

    @property
    def version(self) -> str:
        return self.provider.version if self.provider else ""

    @property
    def is_no_op(self) -> bool:
        return self.name == NO_OP

    @property
    def sees(self) -> frozenset[ProductionPart]:
        return self.provider.sees if self.provider else frozenset()

    def with_options(self, changed: Mapping[str, Any]) -> "ProviderCandidate":
        """A copy with some options changed over those of the file.

        Raises:
            ConfigError: it does not take them.
        """
        written = {**self.written, **changed}
        try:
            options = self.provider.Options.model_validate(written) if self.provider else self.options
        except ValidationError as error:
            raise ConfigError(
                f"{self.full_name}: it does not take the options {dict(changed)}: {readable(error)}"
            ) from error
        return replace(self, options=options, written=written)

    def shown(self, request: TaskRequest) -> TaskRequest:
        """The request as this provider gets it: without the parts of the production that it does not see."""
        return request.model_copy(update={"production": request.production.seen(self.sees)})

    @property
    def lane(self) -> str:
        """Where it wants to run."""
        return self.provider.lane if self.provider else "cpu"

    @property
    def unavailable(self) -> str | None:
        """Why it cannot run on this machine now, with the command that mends it; None when it can."""
        if self.forbidden is not None:
            return self.forbidden
        if self.provider is None:
            return self.import_problem
        try:
            return self.provider.unavailable(self.options) or self._model_problem
        except Exception as error:  # noqa: BLE001 - a stranger's code; it must not stop the others
            return f"its check for being available failed: {type(error).__name__}: {error}"

    @property
    def _model_problem(self) -> str | None:
        """Why a file that its options name cannot be used."""
        for name, model in self.models.items():
            if model is None:
                return f"expected the weights {name!r} under models: in the tool registry, found no such name; add it"
            if self.licences is not None and model.licence not in self.licences.names:
                return (
                    f"the weights {name!r} are {model.licence!r}, and this workspace allows "
                    f"{' and '.join(self.licences.names) or 'none'} only ({self.licences.origin}); use other weights"
                )
            if not model.path.is_file():
                return f"expected the weights {name!r} in {model.path}, found no file; put it there"
        return None

    def not_applicable(self, request: TaskRequest) -> str | None:
        """Why it is not for this request; None when it is."""
        if self.provider is None:
            return self.import_problem
        try:
            return self.provider.not_applicable(self.options, request)
        except Exception as error:  # noqa: BLE001 - as above
            return f"its check of the request failed: {type(error).__name__}: {error}"

    @property
    def spec(self) -> ProviderSpec:
        return ProviderSpec(
            capability=self.capability,
            name=self.name,
            target=self.target,
            options=dict(self.written),
            warm=self.provider.warm if self.provider else False,
            preload=self.provider.preload if self.provider else (),
        )


class ProviderCatalog:
    """Every provider that the configuration names or a package registers; classes are imported when asked for."""

    def __init__(
        self,
        config: RegistryConfig,
        task_by_capability: dict[str, type[AnyTask]],
        models: Mapping[str, ModelSpec],
    ) -> None:
        self._config = config
        self._models = models
        self._licences = _allowed_licences(config)
        self._tasks = task_by_capability
        self._found: dict[tuple[str, str], ProviderCandidate] = {}

    def check(self) -> None:
        """Import and check all that the configuration names, and each capability's no-op.

        Raises:
            ConfigError: with the file and line of what is wrong.
        """
        registry = self._config.registry
        for capability, settings in registry.capabilities.items():
            for index, name in enumerate(settings.providers):
                place = (capability, "providers", index)
                if name in settings.providers[:index]:
                    raise self._config.error(f"{capability}: {name!r} is listed twice", place)
                self.candidate(capability, name, place)
            for index, name in enumerate(settings.shadow):
                self._check_shadow(capability, settings, index, name)
            if NO_OP in self.names(capability):
                self.candidate(capability, NO_OP)
            elif not settings.enabled:
                message = f"{capability} has no provider {NO_OP!r}, so it cannot be disabled"
                raise self._config.error(message, (capability, "enabled"))
        for capability, providers in registry.providers.items():
            if capability not in registry.capabilities:
                known = among(registry.capabilities, capability)
                raise self._config.error(f"unknown capability {capability!r}; {known}", ("providers", capability))
            for name in providers:
                self.candidate(capability, name, ("providers", capability, name))

    def _check_shadow(self, capability: str, settings: CapabilitySettings, index: int, name: str) -> None:
        place = (capability, "shadow", index)
        if name in settings.shadow[:index]:
            raise self._config.error(f"{capability}: {name!r} is in shadow twice", place)
        if name in {NO_OP, settings.providers[0]}:
            what = "makes nothing" if name == NO_OP else "is the first of providers: it would be compared with itself"
            raise self._config.error(
                f"{capability}: expected another provider in shadow, got {name!r}, which {what}", place
            )
        self.candidate(capability, name, place)

    def names(self, capability: str) -> list[str]:
        """Names that ``providers:`` of the capability may hold, without importing anything."""
        written = self._config.registry.providers.get(capability, {})
        used = [name for name, options in written.items() if "use" in options]
        installed = [name for found, name in registered_providers() if found == capability]
        return sorted({*used, *installed})

    def candidate(self, capability: str, name: str, place: tuple[str | int, ...] = ()) -> ProviderCandidate:
        """One provider, imported and with its options checked.

        Args:
            place: what in the file names it, for the error.

        Raises:
            ConfigError: unknown, not a provider of this capability, or wrong options.
        """
        key = (capability, name)
        if key not in self._found:
            if name not in self.names(capability):
                known = among(self.names(capability), name)
                raise self._config.error(f"unknown provider {name!r} of {capability}; {known}", place or (capability,))
            self._found[key] = self._build(capability, name, place or (capability, "providers"))
        return self._found[key]

    def shown(self, capability: str, name: str) -> ProviderCandidate:
        """As ``candidate``; one that is installed and wrong, which nothing selects, is shown with its problem."""
        try:
            return self.candidate(capability, name)
        except ConfigError as error:
            return ProviderCandidate(capability, name, "", None, ProviderOptions(), {}, error.message)

    def _build(self, capability: str, name: str, place: tuple[str | int, ...]) -> ProviderCandidate:
        written = dict(self._config.registry.providers.get(capability, {}).get(name, {}))
        use = written.pop("use", None)
        entry = ("providers", capability, name)
        if use is not None and not isinstance(use, str):
            raise self._config.error(f"{capability}/{name}: expected use: module:Class, got {use!r}", (*entry, "use"))
        registration = Registration(capability, name, use) if use else registered_providers()[capability, name]
        where = (*entry, "use") if use else place
        facts = (registration.package, registration.licence)
        try:
            found = provider_class(registration.target, self._tasks[capability])
        except ProviderUnavailable as error:
            return ProviderCandidate(
                capability, name, registration.target, None, ProviderOptions(), written, str(error), *facts
            )
        except ConfigError as error:
            raise self._config.error(f"{capability}/{name}: {error}", where) from error
        options = self._options(found, capability, name, written)
        models = {model: self._models.get(model) for model in options.model_names}
        return ProviderCandidate(
            capability,
            name,
            registration.target,
            found,
            options,
            written,
            "",
            *facts,
            models,
            self._licences,
            self._why_forbidden(capability, name),
        )

    def _why_forbidden(self, capability: str, name: str) -> str | None:
        """Why this workspace may not use it; a no-op may always run."""
        allowed = self._config.platform.allowed_providers
        if allowed is None or name == NO_OP or f"{capability}/{name}" in allowed:
            return None
        return f"this workspace may use {', '.join(allowed) or 'none'} (settings.allowed_providers)"

    def _options(self, provider: type[AnyTask], capability: str, name: str, written: dict[str, Any]) -> ProviderOptions:
        try:
            return provider.Options.model_validate(written)
        except ValidationError as error:
            prefix = ("providers", capability, name)
            raise located(error, provider.Options, self._config.document, prefix) from error


def _allowed_licences(config: RegistryConfig) -> AllowedLicences | None:
    """None where any will do."""
    names = config.platform.allowed_licences
    if names is None:
        return None
    origin = config.explain("settings.allowed_licences")
    return AllowedLicences(names, f"{origin.file}:{origin.line}")
