"""The delivered picture: copied where the stream may stay as it is, else decoded and encoded once."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from contracts.errors import ProviderRejected
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter, exact_rate
from providers._media.faces import find_faces
from providers._media.frames import read_frames, read_picture
from providers._media.titles import SHOWN_SECONDS, TitleOverlay
from providers.video._clips import Clip, CodedVideo

HIGHEST_FPS = 60
STANDARD_FPS = (24, 25, Fraction(30000, 1001), 30, 50, Fraction(60000, 1001), 60)
LOOP_SECONDS = 10  # a picture is encoded once for so long, and its packets are repeated
PASSABLE_CODECS = frozenset({"h264", "hevc", "vp9", "av1"})
"""What a browser can play from an MP4."""

Bgr = npt.NDArray[np.uint8]
Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class Track:
    """A video track made of clips, as long as the sound."""

    clips: tuple[Clip, ...]
    width: int
    height: int
    fps: float
    frame_count: int
    is_copied: bool = False


@dataclass(frozen=True)
class PictureJob:
    """What the track must be."""

    profile: DeliveryProfile
    duration_seconds: float
    work_dir: Path
    progress: Progress
    title: str = ""
    title_font: Path | None = None

    @property
    def title_seconds(self) -> float:
        """A short video is not wholly covered by its title."""
        return min(SHOWN_SECONDS, 0.6 * self.duration_seconds)


def frames_for(duration_seconds: float, fps: float) -> int:
    """Frames that cover the duration: less than one frame longer than the sound, never shorter."""
    return max(1, math.ceil(duration_seconds * fps - 1e-6))


def copied(coded: CodedVideo, profile: DeliveryProfile, duration_seconds: float) -> Track | None:
    """The stream itself, when it is what would be delivered anyway; None when it must be encoded."""
    ticks = coded.ticks_per_frame
    fits = (
        ticks is not None
        and coded.starts_cleanly
        and coded.codec == av.Codec(profile.codec, "w").canonical_name
        and coded.pixel_format == "yuv420p"
        and not coded.is_full_range
        and coded.has_square_pixels
        and coded.rotation_degrees == 0
        and coded.width % 2 == coded.height % 2 == 0
        and max(coded.width, coded.height) <= profile.max_long_side
        and (coded.fps or 0) <= HIGHEST_FPS
    )
    return _cut_copy(coded, duration_seconds) if fits else None


def _cut_copy(coded: CodedVideo, duration_seconds: float) -> Track | None:
    """All of the stream or its beginning; None when it is too short, or cannot be cut at this frame by copying."""
    fps = float(coded.fps or 0)
    wanted = frames_for(duration_seconds, fps)
    if abs(len(coded.pts) / fps - duration_seconds) <= 1 / fps + 1e-6:
        return Track((Clip(coded.path),), coded.width, coded.height, fps, len(coded.pts), is_copied=True)
    if coded.packets_before(wanted / fps) != wanted:
        return None
    return Track((Clip(coded.path, wanted),), coded.width, coded.height, fps, wanted, is_copied=True)


def passed_on(coded: CodedVideo, duration_seconds: float) -> Track | None:
    """The stream as it came, cut where the sound ends if copying can; None when no browser plays it from an MP4."""
    if coded.codec not in PASSABLE_CODECS or not coded.starts_cleanly:
        return None
    fps = float(coded.fps or 0)
    count = coded.packets_before(duration_seconds) or len(coded.pts)
    size = (coded.width, coded.height)
    width, height = size[::-1] if coded.rotation_degrees in {90, 270} else size
    return Track((Clip(coded.path, count),), width, height, fps, count, is_copied=True)


def from_video(coded: CodedVideo, job: PictureJob) -> Track:
    """Decode, bring to a constant rate, hold the last frame or cut, draw the title, encode.

    Raises:
        ProviderRejected: nothing in it decodes.
    """
    fps = delivery_fps(coded)
    wanted = frames_for(job.duration_seconds, float(fps))
    frames = (frame.bgr for frame in read_frames(coded.path, fps=float(fps), max_long_side=job.profile.max_long_side))
    return _encode(_exactly(frames, wanted), job.work_dir / "picture.mp4", fps, job, titled=bool(job.title))


def from_still(path: Path, job: PictureJob) -> Track:
    """Show a picture for the sound's length: encode the titled head and one loop, and repeat the loop's packets."""
    still = read_picture(path, max_long_side=job.profile.max_long_side)
    fps = exact_rate(job.profile.fps)
    wanted = frames_for(job.duration_seconds, float(fps))
    head = min(wanted, math.ceil(job.title_seconds * fps)) if job.title else 0
    loop = min(wanted - head, math.ceil(LOOP_SECONDS * fps))
    repeats, rest = divmod(wanted - head, loop) if loop else (0, 0)
    parts = [("head", head, 1), ("loop", loop, repeats), ("rest", rest, 1)]
    tracks = [
        (_encode(itertools.repeat(still, count), job.work_dir / f"{name}.mp4", fps, job, titled=name == "head"), times)
        for name, count, times in parts
        if count
    ]
    clips = tuple(Clip(track.clips[0].path, repeats=times) for track, times in tracks)
    return replace(tracks[0][0], clips=clips, frame_count=wanted)


def delivery_fps(coded: CodedVideo) -> Fraction:
    """A constant rate is kept; a varying one becomes the standard rate that loses no frame on average."""
    fps = coded.fps or Fraction(25)
    if coded.ticks_per_frame and fps <= HIGHEST_FPS:
        return exact_rate(float(fps))
    return Fraction(next((rate for rate in STANDARD_FPS if rate >= fps * Fraction(98, 100)), HIGHEST_FPS))


def _encode(frames: Iterator[Bgr], target: Path, fps: Fraction, job: PictureJob, *, titled: bool) -> Track:
    """Encode frames with the profile, the title on the first of them."""
    first = next(frames)
    height, width = first.shape[:2]
    title = _overlay(job, first) if titled else None
    with VideoWriter(target, width=width, height=height, fps=float(fps), profile=job.profile) as writer:
        for frame in itertools.chain([first], frames):
            time_seconds = float(writer.frame_count / fps)
            writer.write(title.draw(frame, time_seconds) if title else frame)
            job.progress(time_seconds / job.duration_seconds, "encoding the picture")
        return Track((Clip(target),), width + width % 2, height + height % 2, float(fps), writer.frame_count)


def _overlay(job: PictureJob, first: Bgr) -> TitleOverlay:
    """The title below; above, where it would lie on a face: a covered mouth cannot be seen to speak."""
    below, above = (
        TitleOverlay(
            job.title,
            width=first.shape[1],
            height=first.shape[0],
            shown_seconds=job.title_seconds,
            is_at_top=is_at_top,
            font_path=job.title_font,
        )
        for is_at_top in (False, True)
    )
    return above if any(_touch(below.box, face.box) for face in find_faces(first)) else below


def _touch(one: Box, other: Box) -> bool:
    beside = one.x >= other.x + other.width or other.x >= one.x + one.width
    chin = other.y + 1.1 * other.height  # the detector's box ends above it
    return not beside and one.y < chin and other.y < one.y + one.height


def _exactly(frames: Iterator[Bgr], count: int) -> Iterator[Bgr]:
    """``count`` frames: the rest is cut, what lacks is the last frame held."""
    last: Bgr | None = None
    given = 0
    for last in frames:
        yield last
        given += 1
        if given == count:
            return
    if last is None:
        raise ProviderRejected("expected a video with frames that decode, got none; export it again or give a photo")
    for _ in range(count - given):
        yield last
