"""A control panel for notebooks: a toggle and a provider for every node, the plan as it changes, progress, the video.

    from sparkle_dagster.notebook import control_panel
    panel = control_panel()
    panel

A client of the status service; imports nothing of ours but contracts. Needs the extra ``notebook``.
"""

import tempfile
import threading
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from contracts.events import NodeEvent
from contracts.service import NodeChoice
from contracts.status import ProductionStatus
from sparkle_dagster.client import PipelineClient, PipelineError

AS_CONFIGURED = "as configured"
NO_OP = "noop"
_COLOURS = {"succeeded": "#14804a", "cached": "#14804a", "failed": "#b3261e", "running": "#2457d6"}


def control_panel(client: PipelineClient | None = None, **where: Any) -> "ControlPanel":
    """The panel of this project's service.

    Args:
        where: as for ``PipelineClient``: url, token, home.

    Raises:
        PipelineError: no service runs; start `sparkle serve`.
        ImportError: ipywidgets is not installed; pip install '.[notebook]'.
    """
    return ControlPanel(client or PipelineClient(**where))


class ControlPanel:
    """Shown by a notebook when it is the last value of a cell; also driven from code, as its own test does."""

    def __init__(self, client: PipelineClient) -> None:
        import ipywidgets as widgets

        self._client = client
        self._widgets: Any = widgets
        self.choices = client.choices()
        self.production = ""
        self.status: ProductionStatus | None = None
        self.enabled = {node.node_id: self._toggle(node) for node in self.choices.nodes}
        self.provider = {node.node_id: self._providers(node) for node in self.choices.nodes}
        self.audio, self.face, self.transcript = (
            widgets.Text(description=role, placeholder=f"a file: {' '.join(self.choices.suffixes[role])}")
            for role in ("audio", "face", "transcript")
        )
        self.title = widgets.Text(description="title")
        self.profile = widgets.Dropdown(description="profile", options=self.choices.profiles)
        self.plan = widgets.HTML()
        self.said = widgets.HTML()
        self.progress = widgets.FloatProgress(min=0, max=100, layout={"width": "100%"})
        self.video = widgets.VBox()
        self.button = widgets.Button(description="Run", button_style="primary")
        self.button.on_click(self._clicked)
        for control in (*self.enabled.values(), *self.provider.values(), self.audio, self.face):
            control.observe(self._changed, names="value")
        rows = [widgets.HBox([self.enabled[node.node_id], self.provider[node.node_id]]) for node in self.choices.nodes]
        files = [self.audio, self.face, self.transcript, self.title, self.profile]
        self.box: Any = widgets.VBox([*files, *rows, self.plan, self.button, self.progress, self.said, self.video])
        self._show_plan()

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.box._repr_mimebundle_(**options)

    @property
    def disable(self) -> list[str]:
        """Nodes that are turned off here though the configuration has them on."""
        return [node.node_id for node in self.choices.nodes if node.enabled and not self.enabled[node.node_id].value]

    @property
    def pinned(self) -> dict[str, str]:
        """node -> the one provider that may run."""
        return {
            node_id: control.value
            for node_id, control in self.provider.items()
            if control.value != AS_CONFIGURED and self.enabled[node_id].value
        }

    @property
    def problems(self) -> list[str]:
        """What has to be mended before it can run."""
        found = [] if self.audio.value else ["choose a voice"]
        for control in (self.audio, self.face, self.transcript):
            if control.value and not Path(control.value).is_file():
                found.append(f"{control.description}: there is no file {control.value}")
        for node in self.choices.nodes:
            if self.enabled[node.node_id].value and node.selected is None and node.node_id not in self.pinned:
                found.append(f"{node.node_id}: no configured provider can run here")
        return found

    def run(self, on_event: Callable[[NodeEvent], None] | None = None) -> str:
        """Make the production with these switches, and show how it goes. Returns its key.

        Raises:
            PipelineError: the service refused; the panel shows why.
        """
        if self.problems:
            self.said.value = _red("; ".join(self.problems))
            return ""
        self.button.disabled = True
        try:
            self.production = self._client.start(
                self.audio.value,
                face=self.face.value or None,
                transcript=self.transcript.value or None,
                disable=self.disable,
                provider=self.pinned,
                title=self.title.value,
                profile=self.profile.value,
            )
            for event in self._client.watch(self.production):
                self._show(self._client.status(self.production))
                if on_event is not None:
                    on_event(event)
            self._show(self._client.status(self.production))
            self._show_video()
        except PipelineError as error:
            self.said.value = _red(str(error))
            raise
        finally:
            self.button.disabled = False
        return self.production

    def _clicked(self, _button: Any) -> None:
        threading.Thread(target=self.run, daemon=True).start()

    def _changed(self, _change: Any) -> None:
        self._show_plan()

    def _toggle(self, node: NodeChoice) -> Any:
        return self._widgets.Checkbox(
            value=node.enabled, description=node.node_id, disabled=not node.enabled, indent=False
        )

    def _providers(self, node: NodeChoice) -> Any:
        names = [item.name for item in node.providers if item.name != NO_OP and item.state != "unavailable"]
        return self._widgets.Dropdown(options=[AS_CONFIGURED, *names], tooltip=_reasons(node))

    def _show_plan(self) -> None:
        """What would run with the switches as they are now: the service's own plan, which refuses what cannot be."""
        problems, table = self.problems, ""
        audio, face = (control.value if Path(control.value).is_file() else None for control in (self.audio, self.face))
        try:
            plan = self._client.plan(audio, face=face, disable=self.disable, provider=self.pinned)
        except PipelineError as error:
            problems = [*problems, str(error)]
        else:
            rows = [
                f"<tr><td>{escape(item.node_id)}</td><td>{item.planned} {escape(item.provider)}</td>"
                f"<td>{escape(item.why)}</td></tr>"
                for item in plan.nodes
            ]
            known = f"These files are the production {escape(plan.production)} already: nothing would start."
            table = f"<table>{''.join(rows)}</table>{known if plan.production else ''}"
        self.plan.value = table + (_red("; ".join(problems)) if problems else "")
        self.button.disabled = bool(problems)

    def _show(self, status: ProductionStatus) -> None:
        self.status = status
        if status.percent is not None:
            self.progress.value = status.percent
        words: list[str] = []
        for node in status.nodes:
            state = node.status.value if node.status else "never"
            percent = f" {node.percent:.0f} %" if node.percent is not None else ""
            why = f": {escape(node.error)} {escape(node.message)}" if node.error else ""
            colour = _COLOURS.get(state, "inherit")
            words.append(f'<span style="color:{colour}">{escape(node.node_id)} {state}{percent}{why}</span>')
        self.said.value = f"{escape(status.production)}: {' &middot; '.join(words)}"

    def _show_video(self) -> None:
        artifacts = self._client.summary(self.production).artifacts
        ref = artifacts.get("assembled_video.assembled_video")
        if ref is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            data = self._client.download(ref, Path(folder) / "video.mp4").read_bytes()
        self.video.children = [self._widgets.Video(value=data, format="mp4", autoplay=False, width=480)]


def _reasons(node: NodeChoice) -> str:
    return "; ".join(f"{item.name}: {item.reason}" for item in node.providers if item.reason)


def _red(text: str) -> str:
    return f'<span style="color:#b3261e">{escape(text)}</span>'
