"""Where a face is in a video: how it is to be found, and what was found, frame by frame."""

from typing import Literal, Self

from pydantic import Field, model_validator

from contracts.artifacts import Box
from contracts.base import Contract, Model


class FaceOptions(Model):
    """How a provider finds the face; part of its options in the tool registry."""

    detector: Literal["haar", "yunet", "box", "box_track"] = Field(
        default="haar",
        description="haar: needs nothing. yunet: needs its ONNX file. box: one place in all frames. "
        "box_track: places from a file.",
    )
    file: str | None = Field(
        default=None, description="Name of YuNet's ONNX file, or of the box track, under the tool registry's models."
    )
    box: Box | None = Field(default=None, description="From brows to chin, pixels of the delivered picture.")
    choose: Literal["largest", "central"] = Field(
        default="largest", description="Of several faces, where the request names no speaker; kept for the whole clip."
    )

    @property
    def files(self) -> tuple[str, ...]:
        """Names under the tool registry's models that are used."""
        return (self.file,) if self.file else ()

    @model_validator(mode="after")
    def _needs_its_own(self) -> Self:
        needed = {"yunet": "file", "box_track": "file", "box": "box"}.get(self.detector)
        for name in ("file", "box"):
            if (getattr(self, name) is not None) != (needed == name):
                verb = "needs" if needed == name else "takes no"
                raise ValueError(f"detector {self.detector!r} {verb} {name!r}")
        return self


class BoxAt(Model):
    """``box`` holds from ``start_seconds`` to the next one's; None: no face there."""

    start_seconds: float = Field(ge=0)
    box: Box | None = Field(description="From brows to chin.")


class BoxTrack(Contract):
    """A file that somebody made: where the face is, in order of time."""

    width: int = Field(gt=0, description="Of the picture that the boxes count in, pixels.")
    height: int = Field(gt=0)
    boxes: tuple[BoxAt, ...] = Field(min_length=1)


class FaceSeen(Model):
    """What the detector saw in a frame in which it looked; ``box`` is None where it saw nothing."""

    frame: int = Field(ge=0)
    box: Box | None = Field(description="The square of the Haar cascade: from the hair's edge to the chin.")
    roll_degrees: float = Field(default=0.0, description="Positive when the face leans clockwise.")
    confidence: float = Field(default=0.0, ge=0, le=1)


Similarity = tuple[float, float, float, float, float, float]
"""Rows of a 2x3 matrix."""


class FaceTrack(Contract):
    """One face through a video, stored as an artifact of its own (application/json) under the video's content.

    Frames are the file's own, at their own times. ``shots[i]`` counts the stretches in which one face is followed
    without a break, from 0; -1 while there is none. ``transforms[i]`` maps pixels of the shot's first frame to pixels
    of frame ``i``.
    """

    width: int = Field(gt=0, description="Of the picture that all numbers count in, pixels as shown.")
    height: int = Field(gt=0)
    detector: str
    is_whole: bool = Field(description="Whether it reaches the end of the video; else as far as it was needed.")
    times_seconds: tuple[float, ...] = Field(min_length=1)
    end_seconds: float
    shots: tuple[int, ...]
    transforms: tuple[Similarity | None, ...]
    agreements: tuple[float, ...] = Field(description="Share of the followed corners that move as one, 0..1.")
    seen: tuple[FaceSeen, ...]
