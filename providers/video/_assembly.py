"""One request, step by step: sound, picture, captions, file, poster. What ``pyav`` and ``noop`` share."""

import io
from collections.abc import Callable
from pathlib import Path

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.video import VideoAssemblyMetrics, VideoAssemblyRequest, VideoAssemblyResult
from providers._media.opening import open_media, sniff
from providers._media.previews import poster_jpeg
from providers._media.titles import missing_characters
from providers.video import _picture
from providers.video._captions import read_cues
from providers.video._clips import CodedVideo, decodes_cleanly, read_coded
from providers.video._mux import Captions, tags, write_mp4
from providers.video._picture import PictureJob, Track
from providers.video._sound import LoudnessLimits, Sound, encode_as_it_is, encode_to_loudness

LEFT_OFF = "Captions are beside the video, not on it: their words are a recogniser's guess."
SHARE_OF_SOUND = 0.3  # of the progress
SHARE_BEFORE_FILE = 0.9
NOTED_SECONDS = 0.1  # a picture that is longer or shorter than the sound by more than this is worth a note


def deliver(
    request: VideoAssemblyRequest, context: ProviderContext, limits: LoudnessLimits, title_font: Path | None
) -> VideoAssemblyResult:
    """Everything the profile and the request ask for."""
    sound = encode_to_loudness(
        context.artifacts.fetch(request.audio_track),
        context.temp_dir / "sound.mp4",
        request.production.profile,
        limits,
        _stretch(context, 0.0, SHARE_OF_SOUND),
    )
    job = _job(request, context, sound, title_font)
    track, notes = _delivered_track(request.aligned_video, context.artifacts.fetch(request.aligned_video), job)
    captions, caption_notes = _captions(request, context, sound.duration_seconds)
    all_notes = (*sound.notes, *notes, *caption_notes, *_title_notes(request.title, title_font))
    return _finish(request, context, track, sound, captions, all_notes)


def pass_on(request: VideoAssemblyRequest, context: ProviderContext) -> VideoAssemblyResult:
    """The picture and the sound as they came, in one file that plays."""
    sound = encode_as_it_is(
        context.artifacts.fetch(request.audio_track), context.temp_dir / "sound.mp4", request.production.profile
    )
    job = _job(request.model_copy(update={"title": ""}), context, sound, None)
    path = context.artifacts.fetch(request.aligned_video)
    if sniff(path) == "picture":
        return _finish(request, context, _picture.from_still(path, job), sound, None, ())
    coded = read_coded(path)
    track = _picture.passed_on(coded, job.duration_seconds) or _picture.from_video(coded, job)
    return _finish(request, context, track, sound, None, ())


def _job(request: VideoAssemblyRequest, context: ProviderContext, sound: Sound, title_font: Path | None) -> PictureJob:
    return PictureJob(
        profile=request.production.profile,
        duration_seconds=sound.duration_seconds,
        work_dir=context.temp_dir,
        progress=_stretch(context, SHARE_OF_SOUND, SHARE_BEFORE_FILE),
        title=request.title.strip(),
        title_font=title_font,
    )


def _delivered_track(ref: ArtifactRef, path: Path, job: PictureJob) -> tuple[Track, tuple[str, ...]]:
    if sniff(path) == "picture":
        return _picture.from_still(path, job), ()
    coded = read_coded(path)
    copy = None if job.title else _picture.copied(coded, job.profile, job.duration_seconds)
    if copy and not _is_whole(ref, path):
        copy = None
    return copy or _picture.from_video(coded, job), _length_notes(coded, job.duration_seconds)


def _is_whole(ref: ArtifactRef, path: Path) -> bool:
    """Damage is not handed on: what was inspected is known, anything else is decoded here."""
    return ref.media.decode_errors == 0 if ref.media else decodes_cleanly(path)


def _length_notes(coded: CodedVideo, duration_seconds: float) -> tuple[str, ...]:
    surplus_seconds = (coded.duration_seconds or duration_seconds) - duration_seconds
    if surplus_seconds > NOTED_SECONDS:
        return (f"The picture was {surplus_seconds:.1f} s longer than the sound; the rest was cut.",)
    if surplus_seconds < -NOTED_SECONDS:
        return (f"The picture ended {-surplus_seconds:.1f} s before the sound; its last frame is held.",)
    return ()


def _title_notes(title: str, font: Path | None) -> tuple[str, ...]:
    missing = missing_characters(title, font) if title else ""
    note = f"The title is shown without {missing}, which its font lacks; name another font in the provider's options."
    return (note,) if missing else ()


def _captions(
    request: VideoAssemblyRequest, context: ProviderContext, duration_seconds: float
) -> tuple[Captions | None, tuple[str, ...]]:
    """What goes on the video, and a note where captions were left off for a reason."""
    script = request.script
    sidecar = (script.captions_srt or script.captions_vtt) if script else None
    if script is None or sidecar is None or request.captions == "none":
        return None, ()
    if request.captions == "confident" and not script.has_confident_words:
        return None, (LEFT_OFF,)
    text = context.artifacts.fetch(sidecar).read_text("utf-8", errors="replace")
    cues = read_cues(text, duration_seconds)
    return (Captions(cues, script.language) if cues else None), ()


def _finish(
    request: VideoAssemblyRequest,
    context: ProviderContext,
    track: Track,
    sound: Sound,
    captions: Captions | None,
    notes: tuple[str, ...],
) -> VideoAssemblyResult:
    context.progress(SHARE_BEFORE_FILE, 1.0, "writing the file")
    target = context.temp_dir / "assembled.mp4"
    write_mp4(target, track.clips, sound.path, captions, tags(request.production, request.title))
    result = VideoAssemblyResult(
        assembled_video=context.artifacts.put(target, "video/mp4"),
        poster=_poster(target, context),
        captions_srt=request.script.captions_srt if request.script else None,
        captions_vtt=request.script.captions_vtt if request.script else None,
        captions_in_video=captions is not None,
        metrics=_metrics(target, track, sound),
        notes=notes,
    )
    context.progress(1.0, 1.0, "done")
    return result


def _poster(video: Path, context: ProviderContext) -> ArtifactRef:
    return context.artifacts.put(io.BytesIO(poster_jpeg(video)), "image/jpeg")


def _metrics(video: Path, track: Track, sound: Sound) -> VideoAssemblyMetrics:
    with open_media(video) as container:
        duration_seconds = (container.duration or 0) / 1_000_000
    return VideoAssemblyMetrics(
        duration_seconds=duration_seconds,
        fps=track.fps,
        width=track.width,
        height=track.height,
        frame_count=track.frame_count,
        loudness_lufs=_rounded(sound.loudness.integrated_lufs),
        true_peak_dbtp=_rounded(sound.loudness.true_peak_dbtp),
        video_copied=track.is_copied,
    )


def _rounded(level: float | None) -> float | None:
    return None if level is None else round(level, 2)


def _stretch(context: ProviderContext, start: float, end: float) -> Callable[[float, str], None]:
    """Progress of a part as progress of the whole."""

    def report(share: float, note: str) -> None:
        context.progress(start + (end - start) * min(share, 1.0), 1.0, note)

    return report
