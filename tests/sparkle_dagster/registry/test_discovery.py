"""Installed tasks and providers: found in metadata, imported only when asked for, and checked."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from contracts.errors import ConfigError, ProviderUnavailable
from contracts.tasks import LipSyncTask
from sparkle_dagster.registry.discovery import load_class, provider_class, registered_providers, registered_tasks
from tests.sparkle_dagster.registry.conftest import WriteProject

STRANGER = """\
from contracts.base import Contract
from contracts.production import TaskRequest, TaskResult
from contracts.tasks import ProviderOptions, Task


class GreetingRequest(TaskRequest):
    name: str


class GreetingResult(TaskResult):
    text: str


class GreetingTask(Task[GreetingRequest, GreetingResult]):
    capability = "greeting"
    request_type = GreetingRequest
    result_type = GreetingResult


class Polite(GreetingTask):
    class Options(ProviderOptions):
        word: str = "Good day"

    def run(self, request):
        return GreetingResult(text=f"{self.options.word}, {request.name}")
"""

STRANGERS_NAMES = """\
[sparkle.tasks]
GreetingTask = stranger:GreetingTask
[sparkle.providers]
greeting.polite = stranger:Polite
"""


def install(folder: Path, name: str, module: str, entry_points: str) -> None:
    """A package as pip leaves it: a module, and metadata beside it."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(module)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n")
    (metadata / "entry_points.txt").write_text(entry_points)


def run_script(script: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """In a new interpreter that also sees the packages in ``folders``."""
    preamble = "".join(f"import sys; sys.path.append({str(folder)!r})\n" for folder in folders)
    return subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.requirement("S12")
def test_tasks_of_the_pipeline_are_registered_by_their_class_names() -> None:
    tasks = registered_tasks()
    assert tasks["LipSyncTask"] is LipSyncTask
    assert {task.capability for task in tasks.values()} >= {"script", "lipsync", "video", "qa", "media"}


@pytest.mark.requirement("S24", "S25")
def test_built_in_providers_come_from_metadata_like_a_strangers() -> None:
    registration = registered_providers()["lipsync", "noop"]
    assert registration.target == "providers.lipsync.noop:NoOpLipSyncProvider"
    assert registration.package.startswith("sparkle ")
    assert registration.licence == "Apache-2.0"


@pytest.mark.requirement("S25")
def test_names_are_listed_without_importing_a_provider() -> None:
    done = run_script("""
        import sys
        from sparkle_dagster.registry.discovery import registered_providers
        assert ("lipsync", "mouth_warp") in registered_providers()
        assert not [name for name in sys.modules if name.split(".")[0] == "providers"]
    """)
    assert done.returncode == 0, done.stderr


@pytest.mark.requirement("S25")
def test_separately_installed_package_brings_a_task_and_a_provider(write_project: WriteProject, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install(packages, "stranger", STRANGER, STRANGERS_NAMES)
    project = write_project("it: {use: HandsOn}", more="greeting: {providers: [polite]}\n")
    script = f"""
        from sparkle_dagster.registry.provider_registry import ProviderRegistry
        import stranger
        registry = ProviderRegistry.from_config({str(project / "configs/tool_registry.yaml")!r})
        greeting = registry.resolve("greeting")
        assert isinstance(greeting, stranger.GreetingTask)
        print(greeting.run(stranger.GreetingRequest(name="Ada")).text)
    """
    done = run_script(script, packages)
    assert done.stdout == "Good day, Ada\n", done.stderr


def test_capability_without_a_no_op_cannot_be_disabled(write_project: WriteProject, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    install(packages, "stranger", STRANGER, STRANGERS_NAMES)
    project = write_project(more="greeting: {enabled: false, providers: [polite]}\n")
    script = f"""
        from sparkle_dagster.registry.provider_registry import ProviderRegistry
        ProviderRegistry.from_config({str(project / "configs/tool_registry.yaml")!r})
    """
    assert "greeting has no provider 'noop', so it cannot be disabled" in run_script(script, packages).stderr


def test_capability_without_its_package_is_refused(write_project: WriteProject) -> None:
    project = write_project(more="greeting: {providers: [polite]}\n")
    done = run_script(f"""
        from sparkle_dagster.registry.provider_registry import ProviderRegistry
        ProviderRegistry.from_config({str(project / "configs/tool_registry.yaml")!r})
    """)
    assert "'greeting' is neither a section nor a capability with a registered task" in done.stderr


def test_name_that_two_packages_register_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        install(tmp_path / name, name, "", f"[sparkle.providers]\nlipsync.theirs = {name}:Provider\n")
    done = run_script(
        "from sparkle_dagster.registry.discovery import registered_providers; registered_providers()",
        tmp_path / "one",
        tmp_path / "two",
    )
    assert "'lipsync.theirs' is registered twice: one:Provider by one 1.0, two:Provider by two 1.0" in done.stderr


def test_module_with_a_missing_dependency_is_unavailable_and_not_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import a_module_that_nobody_has\n")
    (tmp_path / "is_broken.py").write_text("raise RuntimeError('on import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ProviderUnavailable, match="needs the module a_module_that_nobody_has, which is not installed"):
        load_class("needs_more:It")
    with pytest.raises(ProviderUnavailable, match="cannot be imported: RuntimeError: on import"):
        load_class("is_broken:It")


def test_class_that_is_no_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a class SMALL in"):
        provider_class("tests.sparkle_dagster.registry.conftest:SMALL", LipSyncTask)
