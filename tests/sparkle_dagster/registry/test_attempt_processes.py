"""One attempt, in a real process: what it is given, how it may end, and that nothing of it stays."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import ArtifactMissing, ProviderCrashed, ProviderFailed, ProviderRejected, ProviderTimeout
from contracts.lipsync import LipSyncRequest, LipSyncResult
from sparkle_dagster.registry._process_tree import descendants
from sparkle_dagster.registry.provider_registry import ProviderRegistry
from sparkle_dagster.registry.supervised_tree import AttemptStopped
from tests.sparkle_dagster.registry.conftest import MakeRegistry, processes_named

RequestOf = Callable[[ProviderRegistry], LipSyncRequest]


def run_one(
    make_registry: MakeRegistry, request_of: RequestOf, entry: str, timeout_seconds: float = 60.0
) -> LipSyncResult:
    registry = make_registry(f"it: {entry}", lipsync="{providers: [it]}")
    result: LipSyncResult = registry.resolve("lipsync", timeout_seconds=timeout_seconds).run(request_of(registry))
    return result


def wait_until(condition: Callable[[], bool], limit_seconds: float = 30.0) -> None:
    deadline = time.monotonic() + limit_seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.requirement("S32", "S43")
def test_provider_gets_an_empty_folder_a_short_environment_and_the_models(
    make_registry: MakeRegistry, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_PLATFORM", "canary")
    registry = make_registry(
        "it: {use: SaysWhatItSees}",
        lipsync="{providers: [it]}",
        more='models: {net: {path: "${SPARKLE_MODELS}/net.pth", licence: research-only}}\n',
    )
    result = registry.resolve("lipsync").run(request_of(registry))
    temp_dir, is_working_directory, variables, models = result.notes
    assert is_working_directory == "True"
    assert "A_SECRET_OF_THE_PLATFORM" not in variables.split(",")
    assert "PATH" in variables.split(",")
    assert models == "net=research-only"
    assert not Path(temp_dir).exists()


@pytest.mark.requirement("S4")
def test_progress_log_and_output_reach_the_caller(
    make_registry: MakeRegistry, request_of: RequestOf, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry("it: {use: SaysWhatItSees}", lipsync="{providers: [it]}")
    seen: list[tuple[float, float, str]] = []
    with caplog.at_level(logging.INFO):
        registry.resolve("lipsync").run_with_outcome(
            request_of(registry), on_progress=lambda done, total, note: seen.append((done, total, note))
        )
    assert seen == [(1, 2, "half"), (2, 2, "all")]
    assert "a warning of the provider" in caplog.text
    assert "to standard output" in caplog.text


@pytest.mark.requirement("S32")
def test_nothing_is_left_in_the_scratch_folder_after_success_failure_and_kill(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    registry = make_registry(
        f"good: {{use: SaysWhatItSees}}\nbad: {{use: Raises, how: bug}}\nhangs: {{use: Hangs, marker: {marker}}}",
        lipsync="{providers: [hangs, bad, good]}",
    )
    outcome = registry.resolve("lipsync", timeout_seconds=3).run_with_outcome(request_of(registry))
    assert [attempt.error for attempt in outcome.attempts] == ["ProviderTimeout", "ProviderFailed", ""]
    scratch = registry.project_settings.home / "scratch"
    assert list(scratch.iterdir()) == []


@pytest.mark.requirement("S17", "X12")
def test_deadline_kills_the_whole_tree(make_registry: MakeRegistry, request_of: RequestOf, marker: str) -> None:
    with pytest.raises(ProviderTimeout, match=r"lipsync/it: expected an answer within 3 s, got none"):
        run_one(make_registry, request_of, f"{{use: Hangs, marker: {marker}}}", timeout_seconds=3)
    assert processes_named(marker) == []


def test_processes_that_outlive_a_good_answer_are_killed_too(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    result = run_one(make_registry, request_of, f"{{use: Hangs, marker: {marker}, ends: true}}")
    assert result.provider == "it"
    assert processes_named(marker) == []


def test_hanging_provider_does_leave_processes_when_nobody_kills_them(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    """The twin of the two above: all three kinds of stray process are really there before the kill."""
    registry = make_registry(f"it: {{use: Hangs, marker: {marker}}}", lipsync="{providers: [it]}")
    counts: list[int] = []

    def look(done: float, total: float, note: str) -> None:
        wait_until(lambda: len(processes_named(marker)) == 3)
        counts.append(len(processes_named(marker)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.resolve("lipsync").run_with_outcome(request_of(registry), on_progress=look)
    assert counts == [3]
    assert processes_named(marker) == []


def test_stop_from_another_thread_kills_the_tree(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    registry = make_registry(f"it: {{use: Hangs, marker: {marker}}}", lipsync="{providers: [it]}")
    stop = threading.Event()
    with pytest.raises(AttemptStopped):
        registry.resolve("lipsync").run_with_outcome(
            request_of(registry), on_progress=lambda done, total, note: stop.set(), stop=stop
        )
    assert processes_named(marker) == []


def test_tree_is_killed_when_its_supervisor_is_lost(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    with pytest.raises(ProviderCrashed, match="supervising process was lost"):
        run_one(make_registry, request_of, f"{{use: KillsItsSupervisor, marker: {marker}}}")
    assert processes_named(marker) == []


@pytest.mark.requirement("S32", "X12")
def test_tree_and_folder_are_gone_when_the_platform_is_killed(
    make_registry: MakeRegistry, request_of: RequestOf, marker: str
) -> None:
    registry = make_registry(f"it: {{use: Hangs, marker: {marker}}}", lipsync="{providers: [it]}")
    config = registry.project_settings.project / "configs/tool_registry.yaml"
    script = f"""
from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry._process_tree import descendants
from sparkle_dagster.registry.provider_registry import ProviderRegistry
request = LipSyncRequest.parse_json({request_of(registry).model_dump_json()!r})
ProviderRegistry.from_config({str(config)!r}).resolve("lipsync").run(request)
"""
    platform = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[3])
    try:
        wait_until(lambda: len(processes_named(marker)) == 3)
        assert len(processes_named(marker)) == 3
    finally:
        platform.kill()
        platform.wait()
    scratch = registry.project_settings.home / "scratch"
    wait_until(lambda: not processes_named(marker) and not list(scratch.iterdir()))
    assert processes_named(marker) == []
    assert list(scratch.iterdir()) == []


def test_attempts_leave_no_open_files_and_no_zombies(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry("bad: {use: Raises, how: bug}\ngood: {use: HandsOn}", lipsync="{providers: [bad, good]}")
    request = request_of(registry)
    task = registry.resolve("lipsync")
    task.run(request)
    open_files, children = len(list(Path("/proc/self/fd").iterdir())), descendants(os.getpid())
    task.run(request)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files
    assert descendants(os.getpid()) <= children


def test_request_larger_than_a_pipe_arrives(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    registry = make_registry()
    request = request_of(registry).model_copy(update={"metadata": {"much": "x" * 2**21}})
    assert registry.resolve("lipsync").run(request).provider == "noop"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("segfault", "ended by SIGSEGV"),
        ("kill", "ended by SIGKILL; if nobody killed it, the machine ran out of memory"),
        ("exit", "ended with code 0 and no answer; its last words: these were its last words"),
    ],
)
def test_death_without_an_answer_is_a_crash(
    make_registry: MakeRegistry, request_of: RequestOf, how: str, said: str
) -> None:
    with pytest.raises(ProviderCrashed, match=said) as caught:
        run_one(make_registry, request_of, f"{{use: Dies, how: {how}}}")
    assert any("these were its last words" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("bug", ProviderFailed, "lipsync/it: ZeroDivisionError: a very ordinary bug"),
        ("exits", ProviderFailed, r"lipsync/it: called sys.exit\(3\)"),
        ("interrupts", ProviderFailed, "lipsync/it: KeyboardInterrupt"),
        ("memory", ProviderCrashed, "lipsync/it: ran out of memory"),
        ("unreadable", ProviderFailed, "its message cannot be shown"),
        ("rejects", ProviderRejected, "(?m)^no voice in the recording$"),
    ],
)
def test_whatever_a_provider_raises_is_a_typed_error(
    make_registry: MakeRegistry, request_of: RequestOf, how: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        run_one(make_registry, request_of, f"{{use: Raises, how: {how}}}")
    assert any("small_providers.py" in note for note in caught.value.__notes__)


@pytest.mark.requirement("S28")
@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("a dictionary", r"expected run\(\) to return a LipSyncResult, got dict"),
        ("nothing", "got NoneType"),
        ("broken", "breaks the contract|cannot be read"),
        ("nan", "breaks the contract"),
        ("foreign", "neither wrote nor was given"),
        ("huge", "expected an answer of at most"),
    ],
)
def test_answer_that_is_no_result_is_a_failure(
    make_registry: MakeRegistry, request_of: RequestOf, what: str, said: str
) -> None:
    with pytest.raises(ProviderFailed, match=said):
        run_one(make_registry, request_of, f"{{use: Answers, what: {what}}}")


@pytest.mark.requirement("S14")
def test_facts_of_a_file_that_was_given_are_not_the_providers_to_change(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    assert run_one(make_registry, request_of, "{use: Answers, what: forged}").aligned_video.media is None


@pytest.mark.requirement("S14", "S28")
def test_what_a_provider_wrote_is_inspected_and_the_facts_stand_in_the_result(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    registry = make_registry("it: {use: Writes, media_type: audio/wav}", lipsync="{providers: [it]}")
    outcome = registry.resolve("lipsync").run_with_outcome(request_of(registry))
    made = outcome.result.aligned_video
    assert made.media is not None
    assert made.media.audio is not None
    assert made.media.audio.sample_rate_hz == 16_000
    inspection = outcome.inspections[made.digest]
    assert inspection["info"]["audio"]["sample_count"] == made.media.audio.sample_count
    preview = registry.inspect(made).waveform
    assert preview is not None
    with registry.store().open(preview) as stream:
        assert stream.read() == b"waveform"


@pytest.mark.requirement("S28")
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{use: Writes, media_type: video/mp4, text: not a film}", "says video/mp4 and cannot be decoded"),
        ("{use: Writes, media_type: video/mp4}", "says video/mp4, decoding it found audio, 0 frames|found audio"),
    ],
)
def test_output_that_is_not_what_it_says_is_refused(
    make_registry: MakeRegistry, request_of: RequestOf, entry: str, said: str
) -> None:
    with pytest.raises(ProviderFailed, match=said):
        run_one(make_registry, request_of, entry)


def test_text_that_says_so_is_accepted(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    result = run_one(make_registry, request_of, "{use: Writes, media_type: text/plain, text: hello}")
    assert result.aligned_video.media is not None
    assert result.aligned_video.media.kind == "text"


@pytest.mark.requirement("S27")
def test_provider_reads_only_what_its_request_names(
    make_registry: MakeRegistry, request_of: RequestOf, samples: Path
) -> None:
    other = make_registry().store().put(samples / "voice.txt", "text/plain")
    options = f"digest: '{other.digest}', path: '{other.path}', size_bytes: {other.size_bytes}"
    with pytest.raises(ArtifactMissing):
        run_one(make_registry, request_of, f"{{use: ReadsWhatIsNotItsOwn, {options}}}")


def test_printing_much_is_bounded_and_the_end_is_kept(
    make_registry: MakeRegistry, request_of: RequestOf, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        run_one(make_registry, request_of, "{use: PrintsMuch}")
    assert "the very last line" in caplog.text
    assert len(caplog.text) < 20_000


def test_what_a_provider_preloads_is_there_when_it_begins(make_registry: MakeRegistry, request_of: RequestOf) -> None:
    def is_loaded(provider: str) -> tuple[str, ...]:
        return run_one(make_registry, request_of, f"{{use: {provider}, module: pyclbr}}").notes

    assert is_loaded("SaysWhatIsLoaded") == ("False",)
    assert is_loaded("PreloadsForItself") == ("True",)


def test_listed_providers_modules_are_loaded_before_anyone_asks(
    make_registry: MakeRegistry, request_of: RequestOf
) -> None:
    registry = make_registry(
        "first: {use: SaysWhatIsLoaded, module: tabnanny}\nsecond: {use: PreloadsEarly, module: tabnanny}",
        lipsync="{providers: [first, second]}",
    )
    request, task = request_of(registry), registry.resolve("lipsync")
    assert task.run(request).notes == ("False",)
    registry.load_early()
    wait_until(lambda: task.run(request).notes == ("True",))
    assert task.run(request).notes == ("True",)
