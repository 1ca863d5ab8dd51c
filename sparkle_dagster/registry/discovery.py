"""Which tasks and providers are installed, and their classes. Not here: which of them the configuration selects.

Names come from the packages' metadata, without importing anything; a class is imported only when it is asked for.
"""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any

from contracts.errors import ConfigError, ProviderUnavailable
from contracts.tasks import ProviderOptions, Task

TASK_GROUP = "sparkle.tasks"
PROVIDER_GROUP = "sparkle.providers"

AnyTask = Task[Any, Any]


@dataclass(frozen=True)
class Registration:
    """A provider as a package's metadata names it."""

    capability: str
    name: str
    target: str
    """``module:Class``."""
    package: str = ""
    licence: str = ""


@cache
def registered_tasks() -> Mapping[str, type[AnyTask]]:
    """Task class by its registered name, such as ``LipSyncTask``.

    Raises:
        ConfigError: a registered task is not a Task with a capability and its request and result types.
    """
    tasks: dict[str, type[AnyTask]] = {}
    for entry in _entries(TASK_GROUP).values():
        found = load_class(entry.value)
        facts = ("capability", "request_type", "result_type")
        if not issubclass(found, Task) or not all(hasattr(found, fact) for fact in facts):
            raise ConfigError(
                f"{TASK_GROUP} of {_package(entry)}: expected {entry.value} to be a subclass of contracts.tasks.Task "
                f"with {', '.join(facts)}"
            )
        tasks[entry.name] = found
    return tasks


@cache
def registered_providers() -> Mapping[tuple[str, str], Registration]:
    """Every installed provider by capability and name; nothing is imported.

    Raises:
        ConfigError: two packages register the same name for different classes.
    """
    providers: dict[tuple[str, str], Registration] = {}
    for entry in _entries(PROVIDER_GROUP).values():
        capability, _, name = entry.name.partition(".")
        providers[capability, name] = Registration(capability, name, entry.value, _package(entry), _licence(entry.dist))
    return providers


def provider_class(target: str, task: type[AnyTask]) -> type[AnyTask]:
    """The class at ``module:Class``, checked to be a provider of ``task``.

    Raises:
        ConfigError: there is no such class, or it is no provider of this capability.
        ProviderUnavailable: its module cannot be imported here.
    """
    found = load_class(target)
    if not issubclass(found, task):
        bases = ", ".join(base.__name__ for base in found.__bases__)
        raise ConfigError(f"expected {target} to be a subclass of {task.__name__}, got a subclass of {bases}")
    if inspect.isabstract(found):
        raise ConfigError(f"expected {target} to have a method run(request), found none")
    if ProviderOptions not in inspect.getmro(found.Options):
        raise ConfigError(f"expected {target}.Options to be a subclass of contracts.tasks.ProviderOptions")
    return found


def load_class(target: str) -> type[Any]:
    """Import ``module:Class``.

    Raises:
        ConfigError: there is no such module or class.
        ProviderUnavailable: the module is there and fails to import, such as for a missing extra.
    """
    module_name, _, class_name = target.partition(":")
    if not module_name or not class_name:
        raise ConfigError(f"expected module:Class, got {target!r}")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise ConfigError(f"expected the module {module_name}, found none that can be imported") from error
        raise ProviderUnavailable(f"{target} needs the module {error.name}, which is not installed") from error
    except Exception as error:
        raise ProviderUnavailable(f"{target} cannot be imported: {type(error).__name__}: {error}") from error
    found: object = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise ConfigError(f"expected a class {class_name} in {module_name}, found none")
    return found


def _entries(group: str) -> dict[str, EntryPoint]:
    entries: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        first = entries.setdefault(entry.name, entry)
        if first.value != entry.value:
            raise ConfigError(
                f"{group}: {entry.name!r} is registered twice: {first.value} by {_package(first)}, "
                f"{entry.value} by {_package(entry)}; uninstall one of them"
            )
    return entries


def _package(entry: EntryPoint) -> str:
    return _facts(entry.dist)[0] if entry.dist else "an unknown package"


def _licence(package: Distribution | None) -> str:
    return _facts(package)[1] if package else ""


@cache
def _facts(package: Distribution) -> tuple[str, str]:
    """Name with version, and licence. Kept: metadata are parsed anew each time that one of them is asked."""
    facts = package.metadata.json
    return f"{facts['name']} {facts['version']}", str(facts.get("license_expression") or facts.get("license") or "")
