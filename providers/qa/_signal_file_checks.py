"""Checks of the file as a file: streams, container, durations, start, frame rate, honesty. Facts in, checks out."""

from collections.abc import Sequence

from contracts.artifacts import MediaInfo, Span
from contracts.base import Fidelity
from contracts.qa import QACheck
from providers.qa._signal_catalogue import Catalogue
from providers.qa._signal_picture import Picture

CODEC_OF_ENCODER = {"libx264": "h264", "libx265": "hevc", "libvpx-vp9": "vp9", "libsvtav1": "av1"}
COLOURS = {"space": "bt709", "range": "tv", "primaries": "bt709", "transfer": "bt709"}
PLAYABLE_PIXELS = {"yuv420p", "yuvj420p"}


def readable(catalogue: Catalogue, info: MediaInfo, damaged_seconds: Sequence[float] = ()) -> QACheck:
    """``damaged_seconds``: times of frames that libav could only show in part."""
    damaged = len(damaged_seconds)
    count = info.decode_errors + damaged
    message = f"{info.decode_errors} packets did not decode and {damaged} frames are damaged; expected none."
    if not count:
        frames = f" to {info.video.frame_count} frames" if info.video else ""
        message = f"Every packet decoded{frames}."
    lasts = 1 / info.video.fps if info.video and info.video.fps else 0.0
    evidence = [Span(start_seconds=start, end_seconds_exclusive=start + lasts) for start in damaged_seconds]
    return catalogue.measured("readable", count, message, evidence=evidence, digits=0)


def streams(catalogue: Catalogue, info: MediaInfo) -> QACheck:
    present = [name for name, found in (("picture", info.video), ("sound", info.audio)) if found]
    if info.kind == "video" and len(present) == 2:
        return catalogue.judged("streams", "pass", "picture and sound", "One picture and one sound stream decoded.")
    value = " and ".join(present) or "none"
    message = f"Expected a video with picture and sound, got a file of kind {info.kind} with {value}."
    return catalogue.judged("streams", "fail", value, message)


def container(catalogue: Catalogue, info: MediaInfo, encoder: str) -> QACheck:
    if info.video is None:
        return catalogue.skipped("container", "There is no picture.")
    sound = info.audio.codec if info.audio else "no sound"
    name = "mp4" if "mp4" in info.container.split(",") else info.container
    value = f"{name}, {info.video.codec} {info.video.pixel_format}, {sound}"
    wrong: list[str] = []
    if info.faststart is False:
        wrong.append("the index stands after the media data, so playing starts only when all is loaded")
    if info.video.pixel_format not in PLAYABLE_PIXELS:
        wrong.append(f"pixel format {info.video.pixel_format or 'unknown'} does not play everywhere, yuv420p does")
    wanted = CODEC_OF_ENCODER.get(encoder)
    if wanted and info.video.codec != wanted:
        wrong.append(f"the profile asks for {wanted}, got {info.video.codec}")
    if wrong:
        return catalogue.judged("container", "warn", value, "; ".join(wrong).capitalize() + ".")
    return catalogue.judged("container", "pass", value, "Container, codec and pixel format are as the profile asks.")


def colour(catalogue: Catalogue, info: MediaInfo) -> QACheck:
    """Without tags a player guesses, by the picture's size, and skin turns green or red."""
    if info.video is None:
        return catalogue.skipped("colour", "There is no picture.")
    tags = info.video.color
    value = ", ".join(f"{name} {tags.get(name, 'untagged')}" for name in COLOURS)
    wrong = [name for name, wanted in COLOURS.items() if tags.get(name) != wanted]
    if wrong:
        message = (
            f"Expected {', '.join(f'{name} {COLOURS[name]}' for name in wrong)}: browsers and televisions show it."
        )
        return catalogue.judged("colour", "warn", value, message)
    return catalogue.judged("colour", "pass", value, "Colours are tagged as BT.709 in limited range.")


def duration_streams(catalogue: Catalogue, picture_end_seconds: float, sound_end_seconds: float) -> QACheck:
    apart_ms = abs(picture_end_seconds - sound_end_seconds) * 1000
    return catalogue.measured(
        "duration_streams",
        apart_ms,
        f"The picture ends at {picture_end_seconds:.2f} s, the sound at {sound_end_seconds:.2f} s.",
        digits=0,
    )


def duration_source(catalogue: Catalogue, end_seconds: float, source_seconds: float) -> QACheck:
    longer_ms = (end_seconds - source_seconds) * 1000
    evidence = [Span(start_seconds=end_seconds, end_seconds_exclusive=source_seconds)] if longer_ms < 0 else []
    check = catalogue.measured(
        "duration_source",
        longer_ms,
        f"The file ends at {end_seconds:.2f} s; the recording is {source_seconds:.2f} s long.",
        digits=0,
    )
    return check if check.status == "pass" else check.model_copy(update={"evidence": tuple(evidence)})


def start_offset(catalogue: Catalogue, info: MediaInfo) -> QACheck:
    if info.video is None or info.audio is None:
        return catalogue.skipped("start_offset", "Picture or sound is missing.")
    late_ms = (info.audio.start_seconds - info.video.start_seconds) * 1000
    return catalogue.measured(
        "start_offset",
        late_ms,
        f"The sound starts {abs(late_ms):.0f} ms {'after' if late_ms >= 0 else 'before'} the picture.",
        digits=0,
    )


def frame_rate(catalogue: Catalogue, picture: Picture) -> QACheck:
    usual = picture.frame_seconds
    if usual <= 0:
        return catalogue.skipped("frame_rate", "There are fewer than two frames.")
    times = picture.times_seconds
    gaps = (times[1:] - times[:-1]) / usual
    largest_allowed = catalogue.limits("frame_rate").warn_above or 1.25
    evidence = [
        Span(start_seconds=float(times[index]), end_seconds_exclusive=float(times[index + 1]))
        for index in (gaps > largest_allowed).nonzero()[0]
    ]
    message = f"{1 / usual:.2f} frames a second; the longest stands for {float(gaps.max()):.2f} frames."
    return catalogue.measured("frame_rate", float(gaps.max()), message, evidence=evidence, digits=2)


def fidelity(catalogue: Catalogue, found: Fidelity) -> QACheck:
    if found is Fidelity.REAL:
        return catalogue.judged("fidelity", "pass", found.value, "Every stage did its whole work.")
    if found is Fidelity.DEGRADED:
        message = "A stage did only part of its work; its notes say what was left as it was. A person should look."
        return catalogue.judged("fidelity", "warn", found.value, message)
    meaning = {
        Fidelity.PASSTHROUGH: "A stage handed its input on unchanged, so this is not a finished production.",
        Fidelity.STUB: "A stage answered with a stand-in instead of real work, so this is not a finished production.",
    }[found]
    return catalogue.judged("fidelity", "fail", found.value, f"{meaning} It can never be approved.")
