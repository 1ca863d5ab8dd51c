"""The selectors of ``.env_sample``, and the only module that reads the environment.

Not here: what is configured; that stands in ``configs/`` and is read by ``sparkle_dagster.registry.config``.
"""

import os
import re
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import ConfigError

REGISTRY_FILE = Path("configs/tool_registry.yaml")
"""What marks a project's root."""

SELECTORS: Mapping[str, str] = {
    "SPARKLE_WORKSPACE": "main",
    "SPARKLE_HOME": ".sparkle",
    "SPARKLE_MODELS": "models",
    "SPARKLE_EXECUTOR": "auto",
}
"""Every variable that configures Sparkle, with its default; the same as in ``.env_sample``."""

_PASSED_TO_PROVIDERS = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "NUMBA_CACHE_DIR",
    "LD_LIBRARY_PATH",
    "CUDA_VISIBLE_DEVICES",
    "PYTHONHOME",
    "PYTHONPYCACHEPREFIX",
    "PYTHONDONTWRITEBYTECODE",
)
_UNSAFE_LOADING = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Lets a file of weights run code when torch opens it."""
_WORKSPACE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@dataclass(frozen=True)
class Settings:
    """Where this installation's parts are; all paths absolute."""

    project: Path
    workspace: str
    home: Path
    models_dir: Path
    executor: str

    @property
    def dagster_home(self) -> Path:
        return self.home / "dagster"

    @property
    def substitutions(self) -> dict[str, str]:
        """What ``${NAME}`` in a configuration file stands for."""
        values = (self.workspace, str(self.home), str(self.models_dir), self.executor)
        return dict(zip(SELECTORS, values, strict=True))

    def export_dagster_home(self) -> None:
        """Make this home Dagster's, for this process and those it starts."""
        os.environ["DAGSTER_HOME"] = str(self.dagster_home)

    def resolve(self, path: str | Path) -> Path:
        """An absolute path; a relative one counts from the project's root."""
        return (self.project / path).resolve()


def load_settings(start: Path | None = None) -> Settings:
    """Read the selectors that hold for ``start`` (default: the working directory).

    Raises:
        ConfigError: no project there, a workspace name that cannot be a file's name, or an environment in which torch
            would run the code in a checkpoint.
    """
    if os.environ.get(_UNSAFE_LOADING, "").lower() not in {"", "0"}:
        raise ConfigError(f"{_UNSAFE_LOADING} is set: with it a file of weights may run code; unset it and start again")
    project = find_project(start or Path.cwd())
    chosen = {name: os.environ.get(name) or default for name, default in SELECTORS.items()}
    workspace = chosen["SPARKLE_WORKSPACE"]
    if not _WORKSPACE_NAME.fullmatch(workspace):
        raise ConfigError(f"SPARKLE_WORKSPACE: expected a name such as main or studio-2, got {workspace!r}")
    return Settings(
        project=project,
        workspace=workspace,
        home=_absolute(project, chosen["SPARKLE_HOME"]),
        models_dir=_absolute(project, chosen["SPARKLE_MODELS"]),
        executor=chosen["SPARKLE_EXECUTOR"],
    )


def find_project(start: Path) -> Path:
    """The nearest folder at or above ``start`` that holds ``configs/tool_registry.yaml``.

    Raises:
        ConfigError: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / REGISTRY_FILE).is_file():
            return folder
    raise ConfigError(f"expected {REGISTRY_FILE} in {start} or a folder above it, found none; go to the project first")


def selected_workspace() -> str:
    """The workspace that this process serves."""
    return os.environ.get("SPARKLE_WORKSPACE") or SELECTORS["SPARKLE_WORKSPACE"]


def read_secret(reference: str) -> str:
    """The value behind ``env:NAME``, read at the moment of use.

    Raises:
        ConfigError: the variable is not set, or empty.
    """
    name = reference.removeprefix("env:")
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"expected a secret in the environment variable {name}, found none; set it and start again")
    return value


def export_ray_token(token: str) -> None:
    """Have Ray, in this process and those it starts, show a cluster's token."""
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token)


def visible_device() -> str:
    """The GPUs that CUDA shows to this process, such as ``0``; empty where no choice was made."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def provider_environment() -> dict[str, str]:
    """The environment of a provider's process: empty but for what finding programs and modules needs.

    It imports from where this process imports, so a class named by ``use:`` is found without being installed.
    """
    passed = {name: os.environ[name] for name in _PASSED_TO_PROVIDERS if name in os.environ}
    return {**passed, "PYTHONPATH": os.pathsep.join(_added_import_folders())}


@contextmanager
def borrowed_environment(**values: str) -> Generator[Callable[[], dict[str, str]]]:
    """This process with ``values`` set, and put back afterwards whatever happens; gives a look at all its variables."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield lambda: dict(os.environ)
    finally:
        os.environ.clear()
        os.environ.update(before)


def become_environment(environment: Mapping[str, str]) -> None:
    """Make ``environment`` this process's own, as if it had been started with it; for a process that was forked."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # remembered from before
    added = [folder for folder in environment.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:0] = [folder for folder in added if folder not in sys.path]


def _added_import_folders() -> list[str]:
    """Folders of ``sys.path`` that this interpreter would not search by itself."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders = dict.fromkeys(str(Path(entry).resolve()) for entry in sys.path if Path(entry).is_dir())
    return [folder for folder in folders if not any(Path(folder).is_relative_to(root) for root in own)]


def _absolute(project: Path, value: str) -> Path:
    return (project / Path(value).expanduser()).resolve()
