"""The provider on real small media, with weights that paint a face nobody could overlook: every painted frame shows."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from safetensors.torch import save_file

from contracts.artifacts import ArtifactRef, Box, Span
from contracts.base import Fidelity
from contracts.context import ModelFile, ProviderContext
from contracts.errors import ProviderRejected, ProviderUnavailable
from contracts.faces import FaceOptions
from contracts.lipsync import LipSyncRequest, LipSyncResult
from contracts.production import DeliveryProfile, ProductionSpec
from contracts.tasks import LipSyncTask
from providers._media.faces import find_faces
from providers._media.probe import probe
from providers.lipsync.wav2lip import Wav2LipProvider
from sparkle_dagster.artifacts.local import LocalArtifactStore
from sparkle_dagster.conformance.pytest_cases import ProviderCases
from tests.media import make_video
from tests.providers.lipsync.golden_wav2lip import golden_weights
from tests.providers.lipsync.makers import (
    Bgr,
    decoded,
    noise,
    portrait,
    swaying,
    write_film,
    write_picture,
    write_voice,
)

SIDE = 256
PAINTED = 12.0  # mean difference in levels inside the mouth's place; encoding alone makes less than 4
Ask = Callable[..., LipSyncRequest]
Animate = Callable[..., LipSyncResult]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("weights") / "weights"
    save_file({key: value.contiguous() for key, value in golden_weights().items()}, path)
    yield path
    path.unlink()


@pytest.fixture
def models(weights: Path) -> dict[str, ModelFile]:
    return {"wav2lip": ModelFile(weights, None, "research-only")}


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_voice(tmp_path / "voice.wav", 0.4)


@pytest.fixture
def face(samples: Path) -> Bgr:
    return portrait(samples, SIDE)


@pytest.fixture
def animate(context: ProviderContext, models: dict[str, ModelFile]) -> Animate:
    def run(request: LipSyncRequest, **options: Any) -> LipSyncResult:
        return Wav2LipProvider(Wav2LipProvider.Options(**options), replace(context, models=models)).run(request)

    return run


@pytest.fixture
def shown(store: LocalArtifactStore) -> Callable[[LipSyncResult], list[Bgr]]:
    return lambda result: decoded(store.fetch(result.aligned_video))


Shown = Callable[[LipSyncResult], list[Bgr]]


def in_box(x: int, y: int, width: int, height: int) -> FaceOptions:
    return FaceOptions(detector="box", box=Box(x=x, y=y, width=width, height=height))


def mouth_of(bgr: Bgr) -> Bgr:
    """Around the portrait's mouth, wherever it sways to."""
    side = bgr.shape[1]
    return bgr[int(0.42 * side) : int(0.5 * side), int(0.4 * side) : int(0.54 * side)]


def differs(found: Bgr, source: Bgr) -> float:
    return float(np.abs(mouth_of(found).astype(int) - mouth_of(source)).mean())


def painted(found: list[Bgr], source: list[Bgr]) -> list[bool]:
    return [differs(one, other) > PAINTED for one, other in zip(found, source, strict=True)]


class _Cases(ProviderCases):
    provider: type[LipSyncTask] = Wav2LipProvider

    @pytest.fixture
    def voice(self, tmp_path: Path) -> Path:
        return write_voice(tmp_path / "voice.wav", 0.16)

    @pytest.fixture
    def models(self, weights: Path) -> dict[str, ModelFile]:
        return {"wav2lip": ModelFile(weights, None, "research-only")}

    @pytest.fixture
    def bad_requests(
        self, ask: Ask, put: Callable[[Path], ArtifactRef], voice: Path, broken: Path, samples: Path
    ) -> dict[str, LipSyncRequest]:
        face = samples / "presenter.png"
        return {
            "noise as a voice": ask(face, audio_track=put(broken)),
            "noise as a face": ask(broken),
            "a sound as a face": ask(voice),
            "a picture as a voice": ask(face, audio_track=put(face)),
        }


@pytest.mark.requirement("S1", "S12")
class TestWav2LipOnAPhoto(_Cases):
    @pytest.fixture
    def good_request(self, ask: Ask, face: Bgr, tmp_path: Path) -> LipSyncRequest:
        return ask(write_picture(tmp_path / "face.png", face))


@pytest.mark.requirement("S1", "S12")
class TestWav2LipOnAVideo(_Cases):
    @pytest.fixture
    def good_request(self, ask: Ask, face: Bgr, tmp_path: Path) -> LipSyncRequest:
        return ask(write_film(tmp_path / "film.mp4", list(swaying(face, 8))))


def test_a_photo_speaks_as_long_as_the_sound(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    result = animate(ask(write_picture(tmp_path / "face.png", face)))
    frames = shown(result)
    assert len(frames) == result.metrics.frame_count == result.metrics.animated_frame_count == 10
    assert all(painted(frames, [face] * 10))
    assert result.fidelity is Fidelity.REAL
    assert result.mouth_curve is None
    assert differs(frames[2], frames[7]) > 1, "the mouth does not follow the sound"


def test_two_runs_on_one_machine_give_the_same_bytes(ask: Ask, animate: Animate, face: Bgr, tmp_path: Path) -> None:
    request = ask(write_film(tmp_path / "film.mp4", list(swaying(face, 8))))
    assert animate(request).aligned_video.checksum == animate(request).aligned_video.checksum


def test_only_the_lower_face_changes_and_softly(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    frame = shown(animate(ask(write_picture(tmp_path / "face.png", face))))[4].astype(int)
    change = np.abs(frame - face).mean(axis=2)
    rows, columns = np.nonzero(cv2.blur(change, (5, 5)) > 15)
    assert rows.min() > 0.3 * SIDE, "the eyes have changed"
    assert rows.max() < 0.62 * SIDE
    assert columns.min() > 0.3 * SIDE
    assert columns.max() < 0.66 * SIDE


def test_whole_paste_replaces_the_box_with_a_hard_edge(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    box = Box(x=80, y=60, width=96, height=96)
    request = ask(write_picture(tmp_path / "face.png", face))
    frame = shown(animate(request, faces=FaceOptions(detector="box", box=box), paste="whole"))[4].astype(int)
    change = np.abs(frame - face).mean(axis=2)
    assert change[64:72, 84:172].mean() > PAINTED, "the upper half of the box is pasted as well"
    assert change[:52].mean() < 4
    assert change[:, :72].mean() < 4


def test_what_was_used_and_whose_it_is_travels_with_the_result(
    ask: Ask, animate: Animate, face: Bgr, tmp_path: Path
) -> None:
    result = animate(ask(write_picture(tmp_path / "face.png", face)), device="cpu", precision="float32")
    assert result.aligned_video.metadata["weights"] == {
        "name": "wav2lip",
        "sha256": None,
        "licence": "research-only",
    }
    assert any("licence: research-only" in note for note in result.notes)
    assert any("cpu in float32" in note for note in result.notes)
    assert any("not verified" in note for note in result.notes)


def test_lower_precision_that_differs_is_not_used(
    ask: Ask, animate: Animate, face: Bgr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.lipsync._wav2lip_engine._has_fast_bfloat16", lambda device: True)
    request = ask(write_picture(tmp_path / "face.png", face))
    careful, plain = animate(request), animate(request, precision="float32")
    assert any("bfloat16 was not used" in note for note in careful.notes)
    assert careful.aligned_video.checksum == plain.aligned_video.checksum


# -- length and rate --


def test_the_tail_is_kept_and_can_be_dropped_as_the_original_does(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, put: Callable[[Path], ArtifactRef], tmp_path: Path
) -> None:
    long = write_voice(tmp_path / "long.wav", 1.0)
    request = ask(write_picture(tmp_path / "face.png", face), audio_track=put(long))
    assert len(shown(animate(request))) == 25
    assert len(shown(animate(request, tail="dropped"))) == 22


@pytest.mark.parametrize(("fps", "frames"), [(30.0, 12), (29.97, 12), (24.0, 10), (50.0, 20)])
def test_any_frame_rate_works_by_time(
    ask: Ask, animate: Animate, store: LocalArtifactStore, face: Bgr, tmp_path: Path, fps: float, frames: int
) -> None:
    film = write_film(tmp_path / "film.mp4", [face] * round(0.5 * fps), fps=fps)
    result = animate(ask(film), faces=in_box(80, 60, 96, 100))
    video = probe(store.fetch(result.aligned_video)).video
    assert video is not None
    assert video.fps == pytest.approx(fps, abs=0.01)
    assert video.frame_count == frames


def test_variable_and_rotated_video_is_animated_upright(
    ask: Ask, animate: Animate, shown: Shown, store: LocalArtifactStore, face: Bgr, tmp_path: Path
) -> None:
    times = [0, 0.04, 0.08, 0.2, 0.24, 0.28, 0.32, 0.36, 0.4, 0.5]
    film = make_video(
        tmp_path / "phone.mp4",
        pictures=[face] * 10,
        times_seconds=times,
        width=SIDE,
        height=SIDE,
        rotation_degrees=90,
    )
    result = animate(ask(film))
    frames = shown(result)
    assert all(painted(frames, [face] * len(frames)))
    assert len(frames) == pytest.approx(0.4 * result.metrics.fps, abs=1)


def test_a_longer_video_is_cut_and_a_shorter_one_goes_back_and_forth(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    def levels(count: int) -> list[Bgr]:
        return [np.maximum(face // 2, 0).astype(np.uint8) + np.uint8(12 * place) for place in range(count)]

    def corner(frames: list[Bgr]) -> list[int]:
        return [round((float(frame[:16, :16].mean()) - float((face // 2)[:16, :16].mean())) / 12) for frame in frames]

    box = {"faces": in_box(80, 60, 96, 100)}
    short = ask(write_film(tmp_path / "short.mp4", levels(4)))
    long = ask(write_film(tmp_path / "long.mp4", levels(12)))
    assert corner(shown(animate(short, **box))) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert corner(shown(animate(short, loop="restart", **box))) == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert corner(shown(animate(long, **box))) == list(range(10))


def test_the_sound_can_be_moved_against_the_picture(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    fine = ProductionSpec(profile=DeliveryProfile(crf=1))  # so that the encoder hides nothing
    request = ask(write_picture(tmp_path / "face.png", face), production=fine)
    plain, ahead = shown(animate(request)), shown(animate(request, mel_offset_frames=2))
    assert differs(ahead[3], plain[5]) < 2
    assert differs(ahead[3], plain[3]) > 2


def test_in_silence_noise_moves_no_mouth(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, put: Callable[[Path], ArtifactRef], tmp_path: Path
) -> None:
    import wave

    hiss = tmp_path / "hiss.wav"
    with wave.open(str(hiss), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(1).normal(0, 20, 6400).astype("<i2").tobytes())
    request = ask(write_picture(tmp_path / "face.png", face), audio_track=put(hiss))
    held, heard = shown(animate(request)), shown(animate(request, silence_dbfs=None))
    assert max(differs(frame, held[4]) for frame in held[2:8]) < 1
    assert max(differs(frame, heard[4]) for frame in heard[2:8]) > 2


# -- faces --


def film_with_gap(path: Path, face: Bgr) -> tuple[Path, list[Bgr]]:
    frames = [face] * 6 + [noise(face)] * 6 + [face] * 8
    return write_film(path, frames), frames


@pytest.mark.requirement("S22", "X1")
def test_frames_without_a_face_pass_through_and_are_named(
    ask: Ask, animate: Animate, shown: Shown, put: Callable[[Path], ArtifactRef], face: Bgr, tmp_path: Path
) -> None:
    film, source = film_with_gap(tmp_path / "gap.mp4", face)
    result = animate(ask(film, audio_track=put(write_voice(tmp_path / "v.wav", 0.8))))
    frames = shown(result)
    assert result.fidelity is Fidelity.DEGRADED
    (gap,) = result.untouched
    assert gap.reason == "no face is seen"
    assert (gap.start_frame, gap.end_frame_exclusive >= 12) == (6, True)
    for place in range(gap.start_frame, gap.end_frame_exclusive):
        assert differs(frames[place], source[place]) < 5
    assert differs(frames[0], face) > PAINTED
    assert differs(frames[-1], face) > PAINTED


@pytest.mark.requirement("S21", "X1")
def test_a_missing_face_can_hold_the_last_frame_or_fail(
    ask: Ask, animate: Animate, shown: Shown, put: Callable[[Path], ArtifactRef], face: Bgr, tmp_path: Path
) -> None:
    film, _ = film_with_gap(tmp_path / "gap.mp4", face)
    voice = put(write_voice(tmp_path / "v.wav", 0.8))
    frames = shown(animate(ask(film, audio_track=voice, no_face_policy="hold_last")))
    assert differs(frames[8], frames[5]) < 5
    with pytest.raises(ProviderRejected, match=r"from 0\.24 s to 0\.\d+ s no face is seen"):
        animate(ask(film, audio_track=voice, no_face_policy="fail"))


def test_no_face_at_all_hands_the_face_on(ask: Ask, animate: Animate, face: Bgr, tmp_path: Path) -> None:
    for file in (
        write_picture(tmp_path / "wall.png", noise(face)),
        write_film(tmp_path / "wall.mp4", [noise(face)] * 6),
    ):
        request = ask(file)
        result = animate(request)
        assert result.fidelity is Fidelity.PASSTHROUGH
        assert result.aligned_video == request.video_stub
        with pytest.raises(ProviderRejected, match="no face is seen"):
            animate(ask(file, no_face_policy="fail"))


@pytest.mark.requirement("S21")
def test_of_two_faces_the_asked_one_speaks(ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path) -> None:
    small = cv2.copyMakeBorder(
        cv2.resize(face, (192, 192), interpolation=cv2.INTER_AREA), 64, 0, 0, 0, cv2.BORDER_REPLICATE
    )
    both = np.hstack([small, face]).astype(np.uint8)
    picture = write_picture(tmp_path / "both.png", both)

    def changed(result: LipSyncResult) -> tuple[bool, bool]:
        change = np.abs(shown(result)[4].astype(int) - both).mean(axis=2)
        left, right = change[:, :192].max(), change[:, 192:].max()
        return bool(left > 60), bool(right > 60)

    assert changed(animate(ask(picture))) == (False, True), "the largest by default"
    assert changed(animate(ask(picture, speaker=0))) == (True, False)
    assert changed(animate(ask(picture, speaker=1))) == (False, True)
    assert animate(ask(picture, speaker=2)).fidelity is Fidelity.PASSTHROUGH
    both = cv2.copyMakeBorder(both, 0, 0, 260, 0, cv2.BORDER_REPLICATE).astype(np.uint8)
    result = animate(ask(write_picture(tmp_path / "wide.png", both)), faces=FaceOptions(choose="central"))
    change = np.abs(shown(result)[4].astype(int) - both).mean(axis=2)
    assert change[:, 260:452].max() > 60, "the one in the middle of the picture, though it is the smaller one"
    assert change[:, 452:].max() < 60


def test_a_file_of_boxes_says_where_and_when(
    ask: Ask,
    context: ProviderContext,
    models: dict[str, ModelFile],
    shown: Shown,
    put: Callable[[Path], ArtifactRef],
    face: Bgr,
    tmp_path: Path,
) -> None:
    """It counts in pixels of half the size; the face is there for half a second."""
    boxes = tmp_path / "boxes.json"
    boxes.write_text(
        f'{{"schema_version": 1, "width": {SIDE // 2}, "height": {SIDE // 2}, "boxes": [{{"start_seconds": 0, "box": '
        '{"x": 40, "y": 30, "width": 48, "height": 50}}, {"start_seconds": 0.5, "box": null}]}'
    )
    options = Wav2LipProvider.Options(faces=FaceOptions(detector="box_track", file="boxes"))
    assert options.model_names == ("wav2lip", "boxes")
    named = models | {"boxes": ModelFile(boxes, None, "own")}
    film = write_film(tmp_path / "film.mp4", [face] * 20)
    request = ask(film, audio_track=put(write_voice(tmp_path / "v.wav", 0.8)))
    result = Wav2LipProvider(options, replace(context, models=named)).run(request)
    frames = shown(result)
    assert [(gap.start_frame, gap.end_frame_exclusive) for gap in result.untouched] == [(13, 20)]
    assert differs(frames[3], face) > PAINTED
    assert differs(frames[16], face) < 5
    change = np.abs(frames[3].astype(int) - face).mean(axis=2)
    rows, columns = np.nonzero(cv2.blur(change, (5, 5)) > 15)
    assert (columns.min() >= 78, columns.max() < 178, rows.max() < 162) == (True, True, True)


def test_a_face_that_leaves_the_picture_is_left_alone_from_there(
    ask: Ask, animate: Animate, put: Callable[[Path], ArtifactRef], face: Bgr, tmp_path: Path
) -> None:
    wide = cv2.copyMakeBorder(face, 0, 0, 0, SIDE, cv2.BORDER_REPLICATE)
    frames = [np.ascontiguousarray(wide[:, 7 * place : 7 * place + SIDE]) for place in range(25)]
    film = write_film(tmp_path / "leaving.mp4", frames)
    result = animate(ask(film, audio_track=put(write_voice(tmp_path / "v.wav", 1.0))))
    last = result.untouched[-1]
    assert last.end_frame_exclusive == 25
    assert 8 < last.start_frame < 24
    assert result.metrics.animated_frame_count > 8


@pytest.mark.parametrize(("side", "canvas"), [(150, 480), (1100, 0)], ids=["tiny", "huge"])
def test_tiny_and_huge_faces(ask: Ask, animate: Animate, samples: Path, tmp_path: Path, side: int, canvas: int) -> None:
    face = portrait(samples, side)
    if canvas:
        face = cv2.copyMakeBorder(face, canvas - side, 0, canvas - side, 0, cv2.BORDER_REPLICATE).astype(np.uint8)
    else:
        found = find_faces(face)[0].box
        face = np.ascontiguousarray(
            face[found.y - 60 : found.y + found.height + 90, found.x - 60 :][:, : found.width + 120]
        )
    result = animate(ask(write_picture(tmp_path / "face.png", face)))
    assert result.metrics.animated_frame_count == 10


def test_only_the_stretches_asked_for_are_animated(
    ask: Ask, animate: Animate, shown: Shown, face: Bgr, tmp_path: Path
) -> None:
    span = Span(start_seconds=0.2, end_seconds_exclusive=0.4)
    result = animate(ask(write_picture(tmp_path / "face.png", face), segments=(span,)))
    frames = shown(result)
    assert result.fidelity is Fidelity.REAL
    assert not any(painted(frames[:5], [face] * 5))
    assert painted(frames[6:8], [face] * 2) == [True, True]


def test_a_box_outside_of_the_picture_is_refused(ask: Ask, animate: Animate, face: Bgr, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected, match="256x256"):
        animate(ask(write_picture(tmp_path / "face.png", face)), faces=in_box(200, 0, 100, 50))


# -- weights --


def test_weights_that_the_registry_does_not_name_are_asked_for(
    ask: Ask, context: ProviderContext, samples: Path
) -> None:
    provider = Wav2LipProvider(Wav2LipProvider.Options(), context)
    with pytest.raises(ProviderUnavailable, match=r"'wav2lip' under models:.*names none"):
        provider.run(ask(samples / "presenter.png"))


def test_weights_that_are_not_there_are_asked_for(
    ask: Ask, context: ProviderContext, samples: Path, tmp_path: Path
) -> None:
    absent = {"wav2lip": ModelFile(tmp_path / "absent.pth", None, "research-only")}
    provider = Wav2LipProvider(Wav2LipProvider.Options(), replace(context, models=absent))
    with pytest.raises(ProviderUnavailable, match=r"absent\.pth.*put it there"):
        provider.run(ask(samples / "presenter.png"))


def test_a_device_that_is_not_there_is_named(ask: Ask, animate: Animate, samples: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ProviderUnavailable, match="device: auto or cpu"):
        animate(ask(samples / "presenter.png"), device="cuda")
