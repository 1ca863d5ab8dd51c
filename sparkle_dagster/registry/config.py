"""``tool_registry.yaml`` and a workspace's overlay, read and checked. Not here: provider classes and their options."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from contracts.base import Contract
from contracts.errors import ConfigError
from contracts.production import CheckLimits, DeliveryProfile
from contracts.tool_registry import SECTIONS, PlatformSettings, ToolRegistry
from contracts.workflow import Name
from sparkle_dagster.registry.layers import LayeredDocument, Origin, among
from sparkle_dagster.settings import Settings
from sparkle_dagster.yaml_file import LocatedDocument, ValuePath, load_document

Location = tuple[int | str, ...]


class CheckLimitsFile(Contract):
    """The file that a profile's ``qa`` names: ``checks: {<check id>: limits}``."""

    checks: dict[Name, CheckLimits]


@dataclass(frozen=True)
class RegistryConfig:
    """The whole configuration of one workspace. ``registry`` has every ``${NAME}`` replaced."""

    registry: ToolRegistry
    platform: PlatformSettings
    """``registry.settings`` with absolute paths."""
    profiles: Mapping[str, DeliveryProfile]
    document: LayeredDocument

    def explain(self, path: str | ValuePath) -> Origin:
        """The file and line that set a value; ``lipsync.enabled``, or a tuple where an index or a dot is needed."""
        return self.document.explain(tuple(path.split(".")) if isinstance(path, str) else path)

    def error(self, message: str, path: ValuePath) -> ConfigError:
        return self.document.error(message, path)

    def options_as_written(self, capability: str, provider: str) -> dict[str, Any]:
        """A provider's entry before ``${NAME}`` is replaced: the same on every machine."""
        written = self.document.data.get("providers", {}).get(capability, {}).get(provider)
        return dict(written or {})


def load_config(file: Path, settings: Settings, workspace: str, capabilities: Collection[str]) -> RegistryConfig:
    """Read ``file`` and, where it exists, ``workspaces/<workspace>.yaml`` beside it.

    Args:
        capabilities: names that a top-level section may have besides the fixed ones.

    Raises:
        ConfigError: with file and line.
    """
    overlay = file.parent / "workspaces" / f"{workspace}.yaml"
    files = [file, overlay] if overlay.is_file() else [file]
    document = LayeredDocument([load_document(path) for path in files])
    _check_sections(document, capabilities)
    data = document.replaced(settings.substitutions)
    shaped = {key: value for key, value in data.items() if key in SECTIONS}
    shaped["capabilities"] = {key: value for key, value in data.items() if key not in SECTIONS}
    try:
        registry = ToolRegistry.model_validate(shaped)
    except ValidationError as error:
        raise located(error, ToolRegistry, document) from error
    return RegistryConfig(
        registry=registry,
        platform=_with_absolute_paths(registry.settings, settings),
        profiles=_load_profiles(registry, settings, document),
        document=document,
    )


def located(
    error: ValidationError, model: type[BaseModel], document: LayeredDocument | LocatedDocument, prefix: ValuePath = ()
) -> ConfigError:
    """The first problem of a validation as one line with file and line, naming the known keys for an unknown one."""
    problems = error.errors(include_url=False)
    # A misspelt key is also a missing one; naming the wrong key is what helps.
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    place: Location = first["loc"]
    path = (*prefix, *(place[1:] if place[:1] == ("capabilities",) else place))
    if first["type"] == "extra_forbidden":
        known = list(_model_at(model, place[:-1]).model_fields)
        return document.error(f"unknown key {_dotted(path)!r}; {among(known, str(place[-1]))}", path)
    if first["type"] == "missing":
        return document.error(f"expected the key {_dotted(path)!r}, found none", path)
    message = first["msg"].removeprefix("Value error, ")
    given = "" if first["type"] == "value_error" else f", got {_short(first['input'])}"
    return document.error(f"{_dotted(path)}: {message}{given}", path)


def _check_sections(document: LayeredDocument, capabilities: Collection[str]) -> None:
    for section in document.data:
        if section in SECTIONS:
            continue
        if section not in capabilities:
            known = among([*SECTIONS, *capabilities], section)
            raise document.error(
                f"{section!r} is neither a section nor a capability with a registered task; {known}", (section,)
            )


def _with_absolute_paths(platform: PlatformSettings, settings: Settings) -> PlatformSettings:
    store = platform.store.model_copy(update={"root": str(settings.resolve(platform.store.root))})
    uploads = platform.uploads.model_copy(update={"inbox": str(settings.resolve(platform.uploads.inbox))})
    presenter = str(settings.resolve(platform.presenter))
    return platform.model_copy(update={"store": store, "uploads": uploads, "presenter": presenter})


def _load_profiles(registry: ToolRegistry, settings: Settings, document: LayeredDocument) -> dict[str, DeliveryProfile]:
    profiles: dict[str, DeliveryProfile] = {}
    for name, profile in registry.profiles.items():
        file = settings.resolve(profile.qa)
        if not file.is_file():
            raise document.error(f"expected a file with limits, found none at {profile.qa}", ("profiles", name, "qa"))
        values = profile.model_dump(exclude={"qa"})
        profiles[name] = DeliveryProfile(name=name, limits=_load_limits(file), **values)
    return profiles


def _load_limits(file: Path) -> dict[str, CheckLimits]:
    document = load_document(file)
    try:
        return CheckLimitsFile.model_validate(document.data).checks
    except ValidationError as error:
        raise located(error, CheckLimitsFile, document) from error


def _model_at(model: type[BaseModel], place: Location) -> type[BaseModel]:
    """The model that holds the key at ``place``, through dictionaries and tuples."""
    found: Any = model
    for part in place:
        if isinstance(found, type) and issubclass(found, BaseModel):
            found = found.model_fields[str(part)].annotation
        else:
            found = get_args(found)[1 if get_origin(found) is dict else 0]
    return found if isinstance(found, type) and issubclass(found, BaseModel) else model


def _dotted(path: ValuePath) -> str:
    return ".".join(str(part) for part in path)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
