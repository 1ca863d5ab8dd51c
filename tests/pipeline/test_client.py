"""Agents, scripts and notebooks on the status service: start, watch, fetch, rerun, and a panel whose toggles count."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.status import ProductionStatus
from sparkle_dagster.client import PipelineClient, PipelineError
from tests.conftest import PROJECT
from tests.pipeline.conftest import Made
from tests.service import Service, serving

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def service(made: Made) -> Iterator[Service]:
    with serving(made.project) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[PipelineClient]:
    with PipelineClient(home=service.project.home) as found:
        yield found


@pytest.mark.requirement("S58")
def test_agent_reruns_watches_and_fetches(client: PipelineClient, made: Made, tmp_path: Path) -> None:
    client.rerun(made.key, only="qa")
    changes = [(event.node_id, event.status.value) for event in client.watch(made.key)]
    assert changes == [("qa", "queued"), ("qa", "running"), ("qa", "cached")], "nothing that decides it has changed"
    assert list(client.watch(made.key)) == []
    files = client.fetch(made.key, tmp_path / "out")
    assert set(files) == {"video.mp4", "captions.srt", "captions.vtt", "poster.jpg"}
    video = made.project.result("assembled_video", made.key)["assembled_video"]
    assert f"sha256:{hashlib.sha256(files['video.mp4'].read_bytes()).hexdigest()}" == video["checksum"]
    status = client.wait(made.key)
    assert isinstance(status, ProductionStatus)
    assert status.state == "succeeded"
    assert made.key not in [item.production for item in client.installation().in_flight]


def test_same_files_are_the_same_production(client: PipelineClient, made: Made, samples: Path) -> None:
    assert client.start(samples / "voice_short.wav", profile="draft") == made.key


def test_refusals_say_why(client: PipelineClient, made: Made, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="expected a node"):
        client.rerun(made.key, only="lipsink")
    with pytest.raises(PipelineError, match="404 expected a production"):
        client.status("nobody")
    page = tmp_path / "page.html"
    page.write_text("<p>no voice</p>")
    with pytest.raises(PipelineError, match="expected a voice, a face or a transcript"):
        client.start(page)
    with pytest.raises(PipelineError, match="start `sparkle serve`"):
        PipelineClient(home=tmp_path)


@pytest.mark.requirement("S58")
def test_example_of_an_agent_runs(service: Service, samples: Path, tmp_path: Path) -> None:
    voice = tmp_path / "agent.wav"
    voice.write_bytes((samples / "voice_short.wav").read_bytes() + b"agent")
    done = subprocess.run(
        [sys.executable, PROJECT / "docs/examples/agent.py", voice, tmp_path / "out"],
        cwd=service.project.root,
        env=service.project.environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "qa succeeded signal" in done.stdout
    assert (tmp_path / "out" / "video.mp4").stat().st_size > 10_000


@pytest.mark.requirement("S50")
def test_notebook_runs_and_its_toggle_stands_in_the_provenance(
    service: Service, made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import nbformat
    from nbclient import NotebookClient

    voice = service.project.root / "samples" / "voice_short.wav"
    spoken = voice.read_bytes()
    voice.write_bytes(spoken + b"notebook")
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(PROJECT / "notebooks" / "control_panel.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    kernel = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(service.project.root)}}
    )
    try:
        ran = kernel.execute()
    finally:
        voice.write_bytes(spoken)  # the project is shared with other tests
    shown = ran.cells[1].outputs[0]["data"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    (answer,) = (
        item["data"]["text/plain"] for item in ran.cells[-1].outputs if item["output_type"] == "execute_result"
    )
    assert "PASSED_THROUGH" in answer
    newest = service.get("/productions").json()[0]
    record = made.project.store.read(f"aligned_video/{newest['production']}").document["record"]
    assert (record["provider"], record["switches"]) == ("noop", {"enabled": False})
    shipped = (made.project.root / "configs/tool_registry.yaml").read_text()
    assert "lipsync: {enabled: true" in shipped


@pytest.mark.requirement("S50")
def test_panel_shows_the_plan_as_it_changes(client: PipelineClient, made: Made, samples: Path) -> None:
    from sparkle_dagster.notebook import control_panel

    panel = control_panel(client)
    assert set(panel.enabled) == {"script", "lipsync", "video", "qa"}
    assert "mouth_warp" in panel.provider["lipsync"].options
    assert "wav2lip" not in panel.provider["lipsync"].options, "it has no weights here"
    assert panel.button.disabled
    assert "choose a voice" in panel.plan.value
    panel.audio.value = str(samples / "nothing.wav")
    assert "there is no file" in panel.plan.value
    panel.audio.value = str(samples / "voice_short.wav")
    assert not panel.button.disabled
    assert "RUN mouth_warp" in panel.plan.value
    assert f"the production {made.key} already" in panel.plan.value
    panel.face.value = str(samples / "voice_short.txt")
    assert "already" not in panel.plan.value, "with another face it is another one"
    panel.enabled["lipsync"].value = False
    assert "RUN mouth_warp" not in panel.plan.value
    panel.provider["script"].value = "audio_features"
    assert "RUN audio_features" in panel.plan.value
    assert (panel.disable, panel.pinned) == (["lipsync"], {"script": "audio_features"})
    assert "PASS noop</td><td>turned off for this run" in panel.plan.value
    with pytest.raises(PipelineError, match="lipsync: no provider of lipsync can do this here: wav2lip: "):
        client.plan(provider={"lipsync": "wav2lip"})


def test_configure_writes_an_overlay_only_when_told_to(made: Made) -> None:
    overlay = made.project.root / "configs" / "workspaces" / "main.yaml"
    shipped = (made.project.root / "configs/tool_registry.yaml").read_bytes()
    answer = made.project.sparkle("configure", "--disable", "qa", "--provider", "script=audio_features")
    assert answer == {"switches": ["--disable qa", "--provider script=audio_features"], "written": None}
    assert not overlay.exists()
    made.project.sparkle("configure", "--disable", "qa", "--save")
    try:
        overlay.write_text("# mine\n" + overlay.read_text())
        made.project.sparkle("configure", "--provider", "script=audio_features", "--save")
        assert overlay.read_text().startswith("# mine\n")
        described = {item["capability"]: item for item in made.project.sparkle("providers")}
        assert described["qa"]["enabled"] is False
        assert described["script"]["selected"] == "audio_features"
        refused = made.project.command("configure", "--provider", "script=nobody", "--save")
        assert refused.returncode == 1
        assert "nobody" in refused.stderr
        assert "nobody" not in overlay.read_text()
    finally:
        overlay.unlink()
    assert (made.project.root / "configs/tool_registry.yaml").read_bytes() == shipped


def test_configure_asks_node_by_node(made: Made) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sparkle_dagster.cli", "configure"],
        cwd=made.project.root,
        env={**made.project.environment, "COLUMNS": "200"},
        input="y\naudio_features\nn\ny\n\ny\n\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "switches  --disable lipsync --provider script=audio_features" in done.stdout
    assert [path.name for path in (made.project.root / "configs" / "workspaces").iterdir()] == ["README.md"]
