"""Checks of the picture beyond the mouth: sharp, in range, steady, unchanged outside of the mouth, without seams."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from contracts.artifacts import ArtifactRef, FrameRange
from contracts.script import Line, ScriptResult, Word
from providers._media.mouth_places import MouthPlaces
from providers.qa._signal_look import blur_of
from providers.qa.signal import SignalQAProvider
from tests.media import make_video
from tests.providers.qa.conftest import Review
from tests.providers.qa.films import FPS, SAMPLES_DIR, SIDE_PX, Film, Image, painted, portrait


@pytest.fixture(scope="module")
def face() -> Image:
    return portrait(SAMPLES_DIR / "presenter.png")


@pytest.fixture
def short(film: Film) -> Film:
    return film.cut_to(3.0)


@pytest.fixture(params=(1, 5), ids=("every frame", "five a second"))
def before(
    face: Image, short: Film, put: Callable[[Path], ArtifactRef], tmp_path: Path, request: pytest.FixtureRequest
) -> ArtifactRef:
    """The frames as they were before the mouth was painted, all or every fifth."""
    every: int = request.param
    count = len(short.frames) // every
    bt709 = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
    path = tmp_path / "before.mp4"
    return put(
        make_video(
            path,
            seconds=count * every / FPS,
            fps=FPS / every,
            width=SIDE_PX,
            height=SIDE_PX,
            pictures=[face] * count,
            colours=bt709,
        )
    )


class TestOutsideMouth:
    def test_a_face_that_changed_at_the_mouth_alone_passes(
        self, short: Film, review: Review, before: ArtifactRef
    ) -> None:
        check = review(short, before_mouth=before).checks["outside_mouth"]
        assert check.status == "pass", check.message

    def test_other_eyes_are_seen_where_they_are(self, short: Film, review: Review, before: ArtifactRef) -> None:
        def with_bar(index: int, frame: Image) -> Image:
            changed = frame.copy()
            if index >= 50:
                cv2.rectangle(changed, (95, 65), (180, 95), (60, 40, 30), -1)
            return changed

        check = review(short.with_frames(with_bar), before_mouth=before).checks["outside_mouth"]
        assert check.status in {"warn", "fail"}, check.value
        assert check.evidence[0].start_seconds == pytest.approx(2.0, abs=0.25)
        assert check.evidence[0].thumbnail

    def test_without_frames_from_before_it_is_not_judged(self, short: Film, review: Review) -> None:
        assert review(short).checks["outside_mouth"].status == "skipped"


def test_damaged_frames_are_seen_where_they_are(short: Film, review: Review, tmp_path: Path) -> None:
    path = short.write(tmp_path / "film.mp4")
    assert review(path).checks["readable"].status == "pass"
    content = bytearray(path.read_bytes())
    first, last = content.index(b"mdat") + 1000, len(content) * 6 // 10
    for place in np.linspace(first, last, 7).astype(int):
        content[place] ^= 0xFF
    path.chmod(0o600)
    path.write_bytes(content)
    check = review(path).checks["readable"]
    assert check.status == "fail"
    assert check.evidence, "the decoder goes on; the frames that it patched are named"
    assert all(found.end_seconds_exclusive <= 3.1 for found in check.evidence)


def test_blurred_face_is_seen(short: Film, review: Review) -> None:
    soft = short.with_frames(lambda index, frame: np.asarray(cv2.GaussianBlur(frame, (0, 0), 4), np.uint8))
    sharp, blurred = review(short).checks["blur"], review(soft).checks["blur"]
    assert (sharp.status, blurred.status) == ("pass", "warn")


@pytest.mark.parametrize("gain", [0.4, 1.0])
def test_blur_is_no_matter_of_brightness(face: Image, gain: float) -> None:
    gray = cv2.cvtColor(face, cv2.COLOR_BGR2GRAY)
    dimmed = np.asarray(gray * gain, np.uint8)
    assert blur_of(dimmed) == pytest.approx(blur_of(np.asarray(gray, np.uint8)), abs=0.08)


def test_levels_out_of_range_are_seen(short: Film, review: Review, tmp_path: Path) -> None:
    """White of 255 in limited range, as a converter leaves it that takes full for limited."""
    path = short.write(tmp_path / "good.mp4")
    assert review(path).checks["levels"].status == "pass"
    wild = tmp_path / "wild.mp4"
    overshooting(path, wild)
    assert review(wild).checks["levels"].status == "fail"


def overshooting(source: Path, target: Path) -> None:
    """The same frames with a white corner whose Y is 255."""
    import av

    with av.open(str(source)) as original, av.open(str(target), "w") as container:
        video_in, audio_in = original.streams.video[0], original.streams.audio[0]
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = video_in.width, video_in.height, "yuv420p"
        audio = container.add_stream_from_template(audio_in)
        for packet in original.demux(video_in, audio_in):
            if packet.stream is audio_in:
                if packet.dts is not None:
                    packet.stream = audio
                    container.mux(packet)
                continue
            for frame in packet.decode():
                planes = frame.to_ndarray()
                planes[: video_in.height // 2, : video_in.width // 2] = 255
                wild = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                wild.pts, wild.time_base = frame.pts, frame.time_base
                container.mux(video.encode(wild))
        container.mux(video.encode())


def test_face_that_leaps_is_seen_where_it_does(short: Film, review: Review) -> None:
    def leaping(index: int, frame: Image) -> Image:
        wide = np.full((SIDE_PX, 2 * SIDE_PX, 3), 120, np.uint8)
        left = 0 if index < 40 else SIDE_PX
        wide[:, left : left + SIDE_PX] = frame
        return wide

    def staying(index: int, frame: Image) -> Image:
        return leaping(0, frame)

    assert review(short.with_frames(staying)).checks["face_steady"].status == "pass"
    check = review(short.with_frames(leaping)).checks["face_steady"]
    assert check.status == "fail"
    (where,) = check.evidence
    assert where.start_seconds <= 1.6 <= where.end_seconds_exclusive


class TestSeams:
    UNTOUCHED = (FrameRange(start_frame=40, end_frame_exclusive=75),)

    def test_hard_border_is_seen(self, short: Film, face: Image, review: Review) -> None:
        calm = short.opening_as(face, np.clip(short.curve, 0, 0.25))
        cut = calm.with_frames(lambda index, frame: painted(face, 1.0) if index >= 40 else frame)
        check = review(cut, untouched=self.UNTOUCHED).checks["seams"]
        assert check.status in {"warn", "fail"}
        assert check.evidence[0].start_seconds == pytest.approx(39 / FPS, abs=0.01)

    def test_soft_border_passes(self, short: Film, review: Review) -> None:
        assert review(short, untouched=self.UNTOUCHED).checks["seams"].status == "pass"

    def test_without_borders_it_is_not_judged(self, short: Film, review: Review) -> None:
        assert review(short).checks["seams"].status == "skipped"


def test_mouth_that_goes_on_in_silence_is_seen(film: Film, face: Image, review: Review) -> None:
    """The second half of the recording is silent; one mouth knows it."""
    half = len(film.frames) // 2
    samples = film.samples.copy()
    samples[len(samples) // 2 :] = 0
    quiet_curve = film.curve.copy()
    quiet_curve[half:] = 0
    spoken = ScriptResult(duration_seconds=5.3, speech=({"start_seconds": 0.2, "end_seconds_exclusive": 2.6},))  # type: ignore[arg-type]
    resting = replace(film, samples=samples).opening_as(face, quiet_curve)
    assert review(resting, script=spoken).checks["mouth_in_silence"].status == "pass"
    babbling = review(replace(film, samples=samples), script=spoken).checks["mouth_in_silence"]
    assert babbling.status == "warn"
    assert babbling.evidence[0].start_seconds > 2.5


def test_face_is_found_again_without_a_search(face: Image) -> None:
    searches: list[float] = []

    class Eye:
        is_placed = False

        def __call__(self, time_seconds: float, bgr: Image) -> list[Any]:
            from providers._media.faces import find_faces

            searches.append(time_seconds)
            return find_faces(bgr)

        def settle(self, *told: object) -> None: ...

    places = MouthPlaces(Eye())  # type: ignore[arg-type]
    for number in range(4):
        moved = np.asarray(np.roll(face, (2 * number, 4 * number), axis=(0, 1)), np.uint8)
        found = places.look(number / 2, moved).face
        assert found is not None
        first = places.looks[0].face
        assert first is not None
        assert found.centre[0] - first.centre[0] == pytest.approx(4 * number, abs=1.5)
        assert found.centre[1] - first.centre[1] == pytest.approx(2 * number, abs=1.5)
    assert searches == [0.0]
    places.look(2.0, np.zeros_like(face))
    assert searches == [0.0, 2.0], "what does not look like it is searched"


WORDS = "Unless to be ill disposed"


def script_of(text: str, captions: ArtifactRef | None = None) -> ScriptResult:
    words = tuple(
        Word(text=word, start_seconds=0.5 * place, end_seconds_exclusive=0.5 * place + 0.4)
        for place, word in enumerate(text.split())
    )
    line = Line(text=text, start_seconds=0, end_seconds_exclusive=3, words=words)
    return ScriptResult(text=text, lines=(line,), words_origin="transcript", captions_srt=captions)


@pytest.mark.parametrize(
    ("caption", "status"),
    [(WORDS, "pass"), ("unless to BE\nill-disposed.", "pass"), ("Unless to be ill", "warn"), ("Nonsense", "fail")],
)
def test_captions_say_the_script(
    short: Film, review: Review, put: Callable[[Path], ArtifactRef], tmp_path: Path, caption: str, status: str
) -> None:
    file = tmp_path / "captions.srt"
    file.write_text(f"1\n00:00:00,100 --> 00:00:02,000\n{caption}\n")
    check = review(short, script=script_of(WORDS, put(file))).checks["captions_text"]
    assert check.status in ({"warn", "fail"} if status == "warn" else {status}), check.message


def test_word_error_rate_is_available_on_request_only() -> None:
    assert SignalQAProvider.unavailable(SignalQAProvider.Options()) is None
    assert SignalQAProvider.unavailable(SignalQAProvider.Options(word_error_rate=True)) is None, "jiwer is in dev"
