"""What a renderer tells of its work, photo and video alike."""

from dataclasses import dataclass
from pathlib import Path

OUTSIDE_SEGMENTS = "outside the stretches asked for"


class NothingToAnimate(Exception):
    """No frame can be animated; the message says why. No file was written."""


@dataclass(frozen=True)
class Rendered:
    """One entry per frame. ``reasons`` says why a frame was left as it was; empty for an animated one."""

    openings: list[float]
    reasons: list[str]
    confidence: float | None

    @property
    def animated_frame_count(self) -> int:
        return self.reasons.count("")

    @property
    def is_complete(self) -> bool:
        """Every frame that was asked for is animated."""
        return all(reason in {"", OUTSIDE_SEGMENTS} for reason in self.reasons)


@dataclass(frozen=True)
class Files:
    """Where a renderer writes."""

    folder: Path

    @property
    def aligned(self) -> Path:
        return self.folder / "aligned.mp4"

    @property
    def before(self) -> Path:
        """See ``_mouth_before``."""
        return self.folder / "before.mp4"

    def remove(self) -> None:
        self.aligned.unlink()
        self.before.unlink()
