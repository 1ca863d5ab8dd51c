"""The real door: files dropped into a real inbox, looked at, admitted; and what must hold whatever came of it."""

import resource
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import UploadRejected
from contracts.upload import UploadResult
from sparkle_dagster.execution.arrivals import look
from sparkle_dagster.execution.intake import Admission, admit, quarantine
from sparkle_dagster.workspace import Workspace

STRANGER = ("Traceback", "Errno", "object at 0x", "NoneType", "avcodec", "/tmp/", "b'", "()", "Plugin")
"""What no sentence for whoever sent a file may contain."""
MOST_INSPECTION_KIB = 1_500_000


@dataclass(frozen=True)
class Door:
    """One workspace and a folder for files that are not dropped yet."""

    workspace: Workspace
    made: Path

    def knock(self, **files: Path | bytes) -> UploadResult:
        """Drop ``talk.wav=...`` and so on (``talk__wav=`` for a keyword), look, admit, and check the traces.

        Raises:
            UploadRejected: as ``admit``; the files are in quarantine then, with the reason.
        """
        return self.drop({name.replace("__", "."): content for name, content in files.items()})

    def drop(self, files: dict[str, Path | bytes]) -> UploadResult:
        """As ``knock``, under any names."""
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            (self.workspace.inbox / name).write_bytes(data)
        (arrival,) = look(self.workspace, [])
        keys_before = self.workspace.store.keys("")
        largest_before = largest_child_kib()
        try:
            outcome = admit(Admission(arrival.production_key, arrival.files, "run", "1"), self.workspace)
        except UploadRejected as refusal:
            check_sentence(str(refusal), self.workspace)
            check_quarantine(quarantine(arrival.files, "talk", str(refusal), self.workspace), files, str(refusal))
            raise
        finally:
            assert self.workspace.store.keys("") == keys_before, "only a commit makes a production"
            assert left_behind(self.workspace) == []
            assert largest_child_kib() <= max(largest_before, MOST_INSPECTION_KIB)
            for path in arrival.files.values():
                path.unlink(missing_ok=True)
        assert isinstance(outcome.result, UploadResult)
        return outcome.result


def largest_child_kib() -> int:
    """Of this process so far, whatever it was."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def check_sentence(sentence: str, workspace: Workspace) -> None:
    """One that a stranger understands: one line, what was expected or is wrong, no inner words, no inner places."""
    assert "\n" not in sentence
    assert 20 < len(sentence) < 1000, sentence
    assert str(workspace.settings.project) not in sentence
    assert [word for word in STRANGER if word in sentence] == [], sentence


def check_quarantine(folder: Path, names: Iterable[str], reason: str) -> None:
    """All that came together is there, with the reason as it was said."""
    assert {path.name for path in folder.iterdir()} == {*names, "REASON.txt"}
    assert (folder / "REASON.txt").read_text(encoding="utf-8") == f"{reason}\n"


def left_behind(workspace: Workspace) -> list[Path]:
    """Half-written or forgotten files of the store."""
    incoming = [folder for folder in workspace.store.root.rglob("incoming") if folder.is_dir()]
    return [path for folder in incoming for path in folder.rglob("*") if path.is_file()]
