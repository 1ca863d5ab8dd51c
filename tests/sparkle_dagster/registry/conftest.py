"""A project of its own for each test, whose providers are the small ones."""

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.lipsync import LipSyncRequest
from sparkle_dagster.registry.provider_registry import ProviderRegistry

SMALL = "tests.sparkle_dagster.registry.small_providers"

PLATFORM = """\
schema_version: 1
settings:
  store: {root: "${SPARKLE_HOME}/store"}
  uploads: {inbox: "${SPARKLE_HOME}/uploads"}
  services: {webserver: {host: localhost, port: 0}}
  presenter: face.png
profiles:
  web: {crf: 21, qa: configs/qa/web.yaml}
media: {providers: [wave]}
"""
PROVIDERS = f"""\
providers:
  media:
    wave: {{use: "{SMALL}:WaveInspector"}}
  lipsync:
    noop: {{use: "{SMALL}:NoOp"}}
"""

WriteProject = Callable[..., Path]
MakeRegistry = Callable[..., ProviderRegistry]


@pytest.fixture
def write_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteProject:
    """``write_project("hands_on: {use: HandsOn}", lipsync="{providers: [hands_on]}")`` gives the project's folder."""
    for name in ("SPARKLE_WORKSPACE", "SPARKLE_HOME", "SPARKLE_MODELS", "SPARKLE_EXECUTOR"):
        monkeypatch.delenv(name, raising=False)

    def write(providers: str = "", *, lipsync: str = "", more: str = "") -> Path:
        project = tmp_path / "project"
        (project / "configs/qa").mkdir(parents=True, exist_ok=True)
        (project / "configs/qa/web.yaml").write_text("checks:\n  silence: {fail_above: 0.5}\n")
        entries = textwrap.indent(providers.replace("{use: ", f"{{use: {SMALL}:"), "    ")
        section = f"lipsync: {lipsync or '{providers: [noop]}'}\n"
        text = PLATFORM + section + more + PROVIDERS + entries + "\n"
        (project / "configs/tool_registry.yaml").write_text(text)
        return project

    return write


@pytest.fixture
def make_registry(write_project: WriteProject) -> MakeRegistry:
    """As ``write_project``; gives the registry."""

    def make(providers: str = "", *, lipsync: str = "", more: str = "") -> ProviderRegistry:
        project = write_project(providers, lipsync=lipsync, more=more)
        return ProviderRegistry.from_config(project / "configs/tool_registry.yaml")

    return make


@pytest.fixture
def request_of(samples: Path) -> Callable[[ProviderRegistry], LipSyncRequest]:
    """A lip-sync request for the sample voice and face, in the registry's own store."""

    def make(registry: ProviderRegistry) -> LipSyncRequest:
        store = registry.store()
        return LipSyncRequest(
            audio_track=store.put(samples / "voice_short.wav", "audio/wav"),
            video_stub=store.put(samples / "presenter.png", "image/png"),
        )

    return make


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[str]:
    """A word for a process's command line; it must name none when the test ends."""
    word = f"marker-{tmp_path.name}-{id(tmp_path)}"
    yield word
    assert processes_named(word) == []


def processes_named(word: str) -> list[int]:
    """Ids of the processes with ``word`` in their command line."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and word.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
