"""A talking video from a frontal video: follow the face, then give it another mouth."""

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from contracts.artifacts import VideoInfo
from contracts.context import Progress
from contracts.errors import ProviderRejected
from contracts.faces import FaceTrack
from contracts.lipsync import LipSyncRequest, NoFacePolicy
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.face_tracking import Track
from providers._media.face_tracks import ENOUGH_SECONDS, Watch, tracks_beside
from providers._media.frames import PlanarFrame, Timed, at_rate, read_planar_frames, read_timed_planar_frames
from providers._media.planar import Planar, size_of
from providers._media.stages import FRAMES_BETWEEN, WriteBehind, read_ahead
from providers.lipsync._mouth_before import BeforeWriter
from providers.lipsync._mouth_compose import MouthComposer
from providers.lipsync._mouth_drive import MouthDrive
from providers.lipsync._mouth_pingpong import played_frames, played_indices
from providers.lipsync._mouth_rendered import OUTSIDE_SEGMENTS, Files, NothingToAnimate, Rendered
from providers.lipsync._mouth_shots import Shot, Survey, Surveyor, ranges

LOWEST_FPS = 12.0  # a slower video cannot show speech; it is brought to the profile's rate
HIGHEST_FPS = 120.0
FADE_FRAMES = 3
TRACK_SHARE = 0.25  # of the work: following the face
SURVEY_SHARE = 0.4  # and looking at its mouth

Follow = Callable[[Watch], FaceTrack]


def output_fps(video: VideoInfo, profile: DeliveryProfile) -> float:
    """The video's own rate, made constant."""
    if not LOWEST_FPS <= video.fps <= HIGHEST_FPS:
        return profile.fps
    nearest = round(video.fps)
    return float(nearest) if abs(video.fps - nearest) < 0.01 else round(video.fps, 3)


def render_video(
    video: Path, files: Files, drive: MouthDrive, request: LipSyncRequest, follow: Follow, progress: Progress
) -> Rendered:
    """Write ``files``: exactly the sound's length; a longer video is cut, a shorter one goes back and forth.

    Args:
        follow: gives the face's track, and shows what it watches to whom it is given.

    Raises:
        NothingToAnimate: no frame can be animated.
        ProviderRejected: the policy is ``fail`` and some frame cannot.
    """
    profile, policy = request.production.profile, request.no_face_policy

    def frames() -> Iterator[PlanarFrame]:
        source = read_planar_frames(video, fps=drive.fps, max_long_side=profile.max_long_side)
        return islice(source, drive.frame_count)

    width, height = size_of(next(read_planar_frames(video, max_long_side=profile.max_long_side)).picture)
    seen = _surveyed(video, profile, drive.duration_seconds, width, follow, progress)
    sources = [index for _, index in at_rate(seen.frames, drive.fps)][: drive.frame_count]
    played = list(played_indices(len(sources), drive.frame_count))
    reasons = [_reason(seen.reasons[sources[slot]], float(drive.strengths[place])) for place, slot in enumerate(played)]
    _check(reasons, policy, drive.fps)
    painter = _Painter(seen, drive, reasons, hold=policy == "hold_last")
    content = "take" if seen.is_one_shot else "film"
    with (
        closing(read_ahead(frames(), FRAMES_BETWEEN)) as ahead,
        VideoWriter(
            files.aligned, width=width, height=height, fps=drive.fps, profile=profile, content=content
        ) as writer,
        BeforeWriter(files.before, width, height, drive.fps, profile) as before_writer,
        WriteBehind(writer.write_planar, FRAMES_BETWEEN) as behind,
        WriteBehind(before_writer.write_planar, FRAMES_BETWEEN) as before_behind,
    ):
        pictures = (frame.picture for frame in ahead)
        shown = played_frames(pictures, len(sources), drive.frame_count, files.folder)
        for place, (slot, picture) in enumerate(shown):
            if place % before_writer.every == 0:
                before_behind.put(picture)
            behind.put(painter.paint(place, sources[slot], picture))
            progress(SURVEY_SHARE + (1 - SURVEY_SHARE) * (place + 1) / drive.frame_count, 1.0, "animating the video")
    return Rendered(painter.openings, reasons, seen.confidence)


def _surveyed(
    video: Path, profile: DeliveryProfile, seconds: float, width: int, follow: Follow, progress: Progress
) -> Survey:
    """In the pass in which the face is followed, if that is made now and of frames of the size delivered."""
    surveyor = Surveyor()

    def watch(frame: Timed[Planar], track: Track) -> None:
        if size_of(frame.value)[0] == width:
            surveyor.take(frame, track)

    track = follow(watch)
    if surveyor.frame_count:
        return surveyor.finished()
    frames = read_timed_planar_frames(video, max_long_side=profile.max_long_side)
    for frame, beside in tracks_beside(track, frames):
        if frame.time_seconds > seconds + ENOUGH_SECONDS:
            break
        surveyor.take(frame, beside)
        share = TRACK_SHARE + (SURVEY_SHARE - TRACK_SHARE) * min(1.0, frame.time_seconds / seconds)
        progress(share, 1.0, "looking at the mouth")
    return surveyor.finished()


def _reason(seen: str, strength: float) -> str:
    return OUTSIDE_SEGMENTS if strength == 0 else seen


def _check(reasons: list[str], policy: NoFacePolicy, fps: float) -> None:
    faults = [reason for reason in reasons if reason not in {"", OUTSIDE_SEGMENTS}]
    if faults and policy == "fail":
        first = next(span for span in ranges(reasons) if span.reason != OUTSIDE_SEGMENTS)
        raise ProviderRejected(
            f"expected a face that can be animated in every frame (no_face_policy is 'fail'), but from "
            f"{first.start_frame / fps:.2f} s to {first.end_frame_exclusive / fps:.2f} s {first.reason}"
        )
    if "" not in reasons:
        raise NothingToAnimate(max(set(faults), key=faults.count) if faults else OUTSIDE_SEGMENTS)


class _Painter:
    """Animates frames in the order of the output; holds one shot's rigs at a time."""

    def __init__(self, seen: Survey, drive: MouthDrive, reasons: list[str], *, hold: bool) -> None:
        self.openings: list[float] = []
        self._seen = seen
        self._drive = drive
        self._reasons = reasons
        self._hold = hold
        self._held: Planar | None = None
        self._shot: Shot | None = None
        self._composers: dict[int, MouthComposer] = {}

    def paint(self, place: int, source: int, picture: Planar) -> Planar:
        """The output's frame at ``place``, from the video's own frame ``source``."""
        reason = self._reasons[place]
        if reason:
            self.openings.append(0.0)
            return self._held if self._hold and self._held is not None and reason != OUTSIDE_SEGMENTS else picture
        shot = self._seen.shot_of(source)
        frame = picture.copy()
        strength = float(self._drive.strengths[place]) * self._faded(place)
        opening = 0.0
        for view in shot.views[source - shot.first_frame]:
            composer = self._composer_of(shot, view.reference)
            opening = composer.compose(frame, view.transform, self._drive.pose(place), strength * view.weight)
        self.openings.append(opening)
        self._held = frame
        return frame

    def _faded(self, place: int) -> float:
        """Softly in and out beside frames that are left as they are, unless they show a held picture."""
        if self._hold:
            return 1.0
        for distance in range(1, FADE_FRAMES + 1):
            for neighbour in (place - distance, place + distance):
                if 0 <= neighbour < len(self._reasons) and self._reasons[neighbour] not in {"", OUTSIDE_SEGMENTS}:
                    return distance / (FADE_FRAMES + 1)
        return 1.0

    def _composer_of(self, shot: Shot, reference: int) -> MouthComposer:
        if shot is not self._shot:
            self._shot, self._composers = shot, {}
        if reference not in self._composers:
            chosen = shot.references[reference]
            self._composers[reference] = MouthComposer(chosen.bgr, chosen.mouth)
        return self._composers[reference]
