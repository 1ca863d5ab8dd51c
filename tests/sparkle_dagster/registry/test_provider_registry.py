"""The front door: three lines, the no-op, pins, reports; and all of it without Dagster."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.base import Fidelity
from contracts.errors import ConfigError, ContractViolation
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.tasks import LipSyncTask
from contracts.workflow import RetrySpec
from sparkle_dagster.registry.discovery import registered_providers
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from tests.sparkle_dagster.registry.conftest import MakeRegistry, WriteProject, processes_named
from tests.sparkle_dagster.registry.test_discovery import install

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]
REPOSITORY = Path(__file__).parents[3]

THREE_LINES = """\
import sys

class NoDagster:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith("dagster"):
            raise ImportError("dagster is not for the registry")

sys.meta_path.insert(0, NoDagster())
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry

registry = ProviderRegistry.from_config("configs/tool_registry.yaml")
store = registry.store()
request = LipSyncRequest(audio_track=store.put(open(sys.argv[1], "rb"), "audio/wav"),
                         video_stub=store.put(open(sys.argv[2], "rb"), "image/png"))
lipsync = registry.resolve("lipsync")
result = lipsync.run(request)
assert "dagster" not in sys.modules
print(result.provider, result.aligned_video == request.video_stub)
"""


@pytest.mark.requirement("S30")
def test_three_lines_work_in_a_script_where_dagster_cannot_be_imported(
    write_project: WriteProject, samples: Path, tmp_path: Path
) -> None:
    project = write_project("it: {use: HandsOn}", lipsync="{providers: [it]}")
    script = tmp_path / "script.py"
    script.write_text(THREE_LINES)
    done = subprocess.run(
        [sys.executable, str(script), str(samples / "voice_short.wav"), str(samples / "presenter.png")],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=project,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)},
    )
    assert done.stdout == "it True\n", done.stderr


@pytest.mark.requirement("S12")
def test_resolved_task_is_the_capabilitys_own_task(make_registry: MakeRegistry) -> None:
    task = make_registry().resolve("lipsync")
    assert isinstance(task, LipSyncTask)
    assert task.capability == "lipsync"


@pytest.mark.requirement("S31")
def test_resolving_again_gives_the_same_object(make_registry: MakeRegistry) -> None:
    registry = make_registry()
    retries = RetrySpec(max=1)
    assert registry.resolve("lipsync", retries=retries) is registry.resolve("lipsync", retries=RetrySpec(max=1))
    assert registry.resolve("lipsync") is not registry.resolve("lipsync", retries=retries)


@pytest.mark.requirement("S33", "S52")
@pytest.mark.parametrize("where", ["in the file", "by the caller"])
def test_disabled_capability_runs_its_no_op_alone(
    make_registry: MakeRegistry, request_of: RequestOf, where: str
) -> None:
    enabled = "false" if where == "in the file" else "true"
    registry = make_registry(
        "it: {use: HandsOn}", lipsync=f"{{enabled: {enabled}, providers: [it], min_fidelity: real}}"
    )
    request = request_of(registry)
    task = registry.resolve("lipsync", enabled=None if where == "in the file" else False)
    outcome = task.run_with_outcome(request)
    assert (outcome.provider, outcome.provider_version) == ("noop", "noop-1")
    assert outcome.result.fidelity is Fidelity.PASSTHROUGH
    assert outcome.result.aligned_video == request.video_stub
    assert [(entry.provider, entry.outcome) for entry in outcome.trace] == [("it", "disabled"), ("noop", "selected")]


def test_pin_takes_one_provider_but_never_over_disabled(make_registry: MakeRegistry) -> None:
    entries = "a: {use: HandsOn}\nb: {use: HandsOn}"
    registry = make_registry(entries, lipsync="{providers: [a]}")
    assert [found.name for found in registry.candidates("lipsync", provider="lipsync/b")] == ["b"]
    assert registry.configured("lipsync", "lipsync/b")[0]["provider"] == "b"
    off = make_registry(entries, lipsync="{enabled: false, providers: [a]}")
    assert [found.name for found in off.candidates("lipsync", provider="b")] == ["noop"]
    assert [entry["provider"] for entry in off.configured("lipsync", "b")] == ["noop"]


def test_pin_of_an_unknown_provider_or_another_capability_is_refused(make_registry: MakeRegistry) -> None:
    registry = make_registry("a: {use: HandsOn}")
    with pytest.raises(ConfigError, match="unknown provider 'c' of lipsync; known: a, mouth_warp, noop, wav2lip"):
        registry.resolve("lipsync", provider="c")
    with pytest.raises(ConfigError, match="expected a provider of lipsync, got 'video/a'"):
        registry.resolve("lipsync", provider="video/a")


def test_unknown_capability_lists_the_known_ones(make_registry: MakeRegistry) -> None:
    with pytest.raises(
        ConfigError, match=r"unknown capability 'lipsnyc'; known: lipsync, media; did you mean lipsync\?"
    ):
        make_registry().resolve("lipsnyc")


@pytest.mark.requirement("S45")
def test_request_of_another_task_is_refused_before_any_process(make_registry: MakeRegistry, samples: Path) -> None:
    from contracts.media import InspectionRequest

    registry = make_registry()
    ref = registry.store().put(samples / "voice.txt", "text/plain")
    with pytest.raises(ContractViolation, match="lipsync: expected a LipSyncRequest, got InspectionRequest"):
        registry.resolve("lipsync").run(InspectionRequest(artifact=ref))


def test_inspection_runs_in_a_provider_process(make_registry: MakeRegistry, samples: Path) -> None:
    registry = make_registry()
    inspection = registry.inspect(registry.store().put(samples / "voice_short.wav", "audio/wav"))
    assert inspection.info.audio is not None
    assert inspection.info.audio.sample_rate_hz == 16_000
    assert inspection.provider == "wave"


@pytest.mark.requirement("S30")
def test_async_form_gives_the_same_result(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry()
    result = asyncio.run(registry.resolve("lipsync").arun(request_of(registry)))
    assert isinstance(result, LipSyncResult)
    assert result.provider == "noop"


@pytest.mark.requirement("S30")
def test_cancelling_the_async_form_kills_the_provider(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    registry = make_registry(f"it: {{use: Hangs, marker: {marker}}}", lipsync="{providers: [it]}")
    request = request_of(registry)

    async def cancel_when_it_runs() -> None:
        work = asyncio.create_task(registry.resolve("lipsync").arun(request))
        while len(processes_named(marker)) < 3:
            await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert processes_named(marker) == []

    asyncio.run(asyncio.wait_for(cancel_when_it_runs(), 60))


@pytest.mark.requirement("S13")
def test_report_says_what_is_selected_and_why_not_the_others(make_registry: MakeRegistry) -> None:
    registry = make_registry(
        "gone: {use: Unavailable}\na: {use: HandsOn}\nb: {use: HandsOn}", lipsync="{providers: [gone, a, noop]}"
    )
    report = next(found for found in registry.describe() if found.capability == "lipsync")
    states = {
        provider.name: provider.state for provider in report.providers if provider.name not in {"mouth_warp", "wav2lip"}
    }
    assert states == {"gone": "unavailable", "a": "selected", "noop": "next", "b": "not_listed"}
    assert report.selected == "a"
    assert "sparkle models fetch" in report.providers[0].reason


def test_report_of_a_disabled_capability_names_the_line(make_registry: MakeRegistry) -> None:
    registry = make_registry("a: {use: HandsOn}", lipsync="{enabled: false, providers: [a]}")
    report = next(found for found in registry.describe() if found.capability == "lipsync")
    assert (report.enabled, report.selected, report.providers[0].state) == (False, "noop", "disabled")
    assert f"tool_registry.yaml:{report.origin.line}" in report.providers[0].reason


def test_report_shows_an_installed_provider_that_is_wrong_with_its_problem(
    make_registry: MakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "packages", "wrong", "", "[sparkle.providers]\nlipsync.wrong = wrong:Missing\n")
    monkeypatch.syspath_prepend(tmp_path / "packages")
    registered_providers.cache_clear()
    try:
        report = next(found for found in make_registry().describe() if found.capability == "lipsync")
    finally:
        registered_providers.cache_clear()
    wrong = next(provider for provider in report.providers if provider.name == "wrong")
    assert wrong.state == "not_listed"
    assert "expected a class Missing in wrong, found none" in wrong.reason


def test_lane_is_the_one_the_selected_provider_asks_for(make_registry: MakeRegistry) -> None:
    entries = "gone: {use: Unavailable}\ngpu: {use: OnGpu}"
    assert make_registry(entries, lipsync="{providers: [gone, gpu]}").lane_of("lipsync") == "gpu"
    assert make_registry(entries, lipsync="{providers: [noop, gpu]}").lane_of("lipsync") == "cpu"


def test_provider_whose_module_cannot_be_imported_is_passed_over(
    write_project: WriteProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_of: RequestOf
) -> None:
    (tmp_path / "half_installed.py").write_text("import a_module_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)
    project = write_project("it: {use : 'half_installed:It'}", lipsync="{providers: [it, noop]}")
    registry = ProviderRegistry.from_config(project / "configs/tool_registry.yaml")
    outcome = registry.resolve("lipsync").run_with_outcome(request_of(registry))
    assert outcome.trace[0].outcome == "unavailable"
    assert "a_module_that_nobody_has" in outcome.trace[0].reason
    assert outcome.provider == "noop"
