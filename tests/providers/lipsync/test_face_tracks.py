"""A video's face track is made once and kept under the video's content; detectors and choices are settings."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from contracts.artifacts import ArtifactRef, Box
from contracts.context import ModelFile
from contracts.errors import ProviderRejected, ProviderUnavailable
from contracts.faces import BoxTrack, FaceOptions, FaceTrack
from providers._media.face_detectors import faces_in_picture, placed_boxes
from providers._media.face_tracking import FaceTracker
from providers._media.face_tracks import face_track, tracks_at
from providers._media.faces import Face, choose_face, find_faces
from providers._media.frames import read_planar_frames
from providers._media.yunet import YuNet
from sparkle_dagster.artifacts.local import LocalArtifactStore
from tests.providers.lipsync import yunet_shaped
from tests.providers.lipsync.makers import Bgr, noise, portrait, swaying, write_film

SIDE = 256
Put = Callable[[Path], ArtifactRef]


@pytest.fixture
def film(samples: Path, put: Put, tmp_path: Path) -> ArtifactRef:
    return put(write_film(tmp_path / "film.mp4", list(swaying(portrait(samples, SIDE), 30))))


@pytest.fixture
def followed(store: LocalArtifactStore) -> Callable[..., tuple[FaceTrack, int]]:
    """The track, and for how many frames it was worked."""

    def follow(video: ArtifactRef, *, seconds: float = 60, **options: Any) -> tuple[FaceTrack, int]:
        worked: list[float] = []
        track = face_track(
            video, store, FaceOptions(**options), {}, speaker=None, seconds=seconds, on_second=worked.append
        )
        return track, len(worked)

    return follow


def test_the_second_time_nothing_is_looked_for(followed: Callable[..., Any], film: ArtifactRef) -> None:
    first, second = followed(film), followed(film)
    assert first == (second[0], 30)
    assert second[1] == 0
    assert followed(film, choose="central")[1] == 30, "another choice is another track"


def test_the_track_is_the_content_s_whatever_it_is_called(
    followed: Callable[..., Any], film: ArtifactRef, store: LocalArtifactStore
) -> None:
    followed(film)
    with store.open(film) as stream:
        again = store.put(stream, "video/quicktime", {"title": "another"})
    assert followed(again)[1] == 0


def test_a_track_reaches_as_far_as_was_needed_and_is_made_anew_for_more(
    followed: Callable[..., Any], film: ArtifactRef
) -> None:
    short, worked = followed(film, seconds=0.2)
    assert worked < 20
    assert not short.is_whole
    assert followed(film, seconds=0.1)[1] == 0
    whole, worked = followed(film, seconds=60)
    assert (worked, whole.is_whole) == (30, True)


def test_it_says_at_any_rate_and_size_what_the_tracker_said(
    followed: Callable[..., Any], film: ArtifactRef, store: LocalArtifactStore
) -> None:
    track, _ = followed(film)
    tracker = FaceTracker()
    alone = [tracker.update_planar(frame.picture) for frame in read_planar_frames(store.fetch(film))]
    same = list(tracks_at(track, 25, SIDE))
    assert [row.shot for row in same] == [row.shot for row in alone]
    assert [row.looked for row in same] == [row.looked for row in alone]
    for one, other in zip(same, alone, strict=True):
        assert one.face == other.face or (one.face is not None and other.face is not None)
        assert one.transform is not None
        assert other.transform is not None
        assert np.abs(one.transform - other.transform).max() < 1e-5
    half = list(tracks_at(track, 12.5, SIDE // 2))
    assert len(half) == 15
    assert half[7].transform is not None
    assert same[14].transform is not None
    assert np.abs(half[7].transform[:, 2] * 2 - same[14].transform[:, 2]).max() < 1e-5
    double = list(tracks_at(track, 50, SIDE))
    assert len(double) == 60
    assert sum(row.looked for row in double) == sum(row.looked for row in same), "shown again is not looked at again"
    assert double[1].transform is double[0].transform


def test_a_damaged_or_lost_track_is_made_anew(
    followed: Callable[..., Any], film: ArtifactRef, store: LocalArtifactStore
) -> None:
    for spoil in (Path.unlink, lambda path: path.write_bytes(b"{}")):
        followed(film)
        kept = [
            path for path in store.root.rglob("*") if path.is_file() and path.read_bytes()[:17] == b'{"schema_version"'
        ]
        assert len(kept) == 1
        kept[0].parent.chmod(0o700)
        kept[0].chmod(0o600)
        spoil(kept[0])
        assert followed(film)[1] == 30


# -- whom --


def beside(samples: Path, *places: tuple[int, int, int]) -> Bgr:
    """Portraits of a width at x, y, on a plain wall."""
    wall = np.full((300, 760, 3), 128, np.uint8)
    for x, y, side in places:
        wall[y : y + side, x : x + side] = portrait(samples, side)
    return wall


def test_of_several_faces_the_largest_the_most_central_or_one_by_its_number(samples: Path) -> None:
    three = beside(samples, (0, 60, 220), (260, 60, 200), (480, 10, 270))
    faces = find_faces(three)
    assert len(faces) == 3

    def chosen(speaker: int | None, choice: Any) -> int:
        face = choose_face(faces, speaker, choice, (760, 300))
        assert face is not None
        return int(face.centre[0]) // 250

    assert [chosen(None, "largest"), chosen(None, "central"), chosen(0, "central"), chosen(1, "largest")] == [
        2,
        1,
        0,
        1,
    ]
    assert choose_face(faces, 3, "largest", (760, 300)) is None
    assert choose_face([], None, "central", (760, 300)) is None


def test_the_choice_is_kept_when_another_face_becomes_the_largest(samples: Path) -> None:
    before, after = beside(samples, (0, 0, 270), (400, 60, 220)), beside(samples, (25, 40, 220), (400, 0, 290))
    gone = noise(before)
    tracker = FaceTracker()
    tracks = [tracker.update(frame) for frame in [before] * 6 + [gone] * 5 + [after] * 5]
    seen = [track.face for track in tracks if track.face is not None]
    assert tracks[-1].shot == 1
    assert [int(face.centre[0]) < 300 for face in seen] == [True] * len(seen)


def test_a_track_that_sticks_to_the_wall_is_given_up_for_the_face(samples: Path) -> None:
    """What is followed stands still while the face has gone elsewhere: the whole picture is searched again."""
    start = beside(samples, (0, 20, 260))
    elsewhere = beside(samples, (480, 20, 260))
    elsewhere[:130, :260] = start[:130, :260]  # the upper face is still there, as on a poster; no whole face
    elsewhere[75:130, :260] = elsewhere[75:130, :260] // 2 + 60
    asked: list[int] = []

    def find(bgr: Bgr, expected: Face | None = None) -> list[Face]:
        asked.append(bgr.shape[1])
        faces = find_faces(bgr, expected)
        return [face for face in faces if bgr.shape[1] < 760 or face.centre[0] > 400 or len(asked) < 2]

    tracker = FaceTracker(find=find)
    tracks = [tracker.update(frame) for frame in [start] * 5 + [elsewhere] * 25]
    found = [track.face for track in tracks if track.face is not None]
    assert found[0].centre[0] < 260
    assert found[-1].centre[0] > 480


# -- how --


def test_options_that_do_not_fit_together_are_refused() -> None:
    for options, words in (
        ({"detector": "yunet"}, "detector 'yunet' needs 'file'"),
        ({"detector": "box"}, "detector 'box' needs 'box'"),
        ({"detector": "haar", "file": "x"}, "detector 'haar' takes no 'file'"),
        ({"detector": "box_track", "file": "x", "box": Box(x=0, y=0, width=1, height=1)}, "takes no 'box'"),
    ):
        with pytest.raises(ValidationError, match=words):
            FaceOptions(**options)  # type: ignore[arg-type]


def test_a_detectors_file_that_is_missing_or_another_is_named(tmp_path: Path, store: LocalArtifactStore) -> None:
    options = FaceOptions(detector="yunet", file="yunet")
    video = store.put(io.BytesIO(b"x"), "video/mp4")

    def ask(models: dict[str, ModelFile]) -> None:
        face_track(video, store, options, models, speaker=None, seconds=1, on_second=lambda done: None)

    wrong = tmp_path / "yunet"
    with pytest.raises(ProviderUnavailable, match="under models: in the tool registry, which names none"):
        ask({})
    with pytest.raises(ProviderUnavailable, match="yunet, found no file"):
        ask({"yunet": ModelFile(wrong, None, "mit")})
    wrong.write_bytes(b"no network")
    with pytest.raises(ProviderUnavailable, match="SHA-256"):
        ask({"yunet": ModelFile(wrong, "0" * 64, "mit")})
    with pytest.raises(ProviderUnavailable, match="expected YuNet as an ONNX file"):
        YuNet(wrong)


def test_yunets_file_finds_faces_with_their_roll_and_follows_them(
    tmp_path: Path, store: LocalArtifactStore, put: Put
) -> None:
    network = yunet_shaped.write(tmp_path / "network")
    cell = np.zeros((320, 480, 3), np.uint8)
    cell[160:168, 240:248] = 255  # eyes at (224, 144) and (256, 144), see there
    (face,) = YuNet(network)(cell)
    assert face.point(0.5, 0.38) == pytest.approx((240, 144), abs=1.5)
    assert face.box.width == pytest.approx(32 / 0.38, abs=1)
    assert (face.roll_degrees, face.confidence > 0.9) == (0, True)
    (larger,) = YuNet(network)(np.asarray(cv2.resize(cell, (1920, 1280), interpolation=cv2.INTER_NEAREST), np.uint8))
    assert larger.centre == pytest.approx((4 * face.centre[0], 4 * face.centre[1]), abs=4 * 8)  # to a cell
    assert YuNet(network)(np.zeros_like(cell)) == []

    film = put(write_film(tmp_path / "film.mp4", [np.maximum(cell, noise(cell) // 2)] * 6))
    options = FaceOptions(detector="yunet", file="yunet")
    models = {"yunet": ModelFile(network, None, "mit")}
    track = face_track(film, store, options, models, speaker=None, seconds=9, on_second=lambda done: None)
    assert track.detector == "yunet"
    assert track.seen[0].box is not None
    assert abs(track.seen[0].box.x - face.box.x) <= 1
    other = ModelFile(yunet_shaped.write(tmp_path / "other"), None, "mit")
    again: list[float] = []
    face_track(film, store, options, {"yunet": other}, speaker=None, seconds=9, on_second=again.append)
    assert again == [], "the same network under another path"


def test_a_box_track_file_is_read_or_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    models = {"boxes": ModelFile(path, None, "own")}
    options = FaceOptions(detector="box_track", file="boxes")
    document = {
        "schema_version": 1,
        "width": 100,
        "height": 80,
        "boxes": [{"start_seconds": 0, "box": {"x": 1, "y": 2, "width": 30, "height": 40}}],
    }
    path.write_text(json.dumps(document))
    assert placed_boxes(options, models, (9, 9)) == BoxTrack.parse(document)
    path.write_text("x, y\n1, 2\n")
    with pytest.raises(ProviderUnavailable, match="expected a box track"):
        placed_boxes(options, models, (9, 9))


def test_placed_boxes_are_a_track_in_which_nothing_is_looked_for(
    tmp_path: Path, store: LocalArtifactStore, film: ArtifactRef
) -> None:
    """Half a second at one place, nobody for half a second, then twice as large and moving."""
    places = [(0, (64, 40, 38, 52)), (0.5, None), (1, (40, 20, 76, 104)), (1.2, (60, 20, 76, 104))]
    boxes = [
        {"start_seconds": start, "box": dict(zip(("x", "y", "width", "height"), box, strict=True)) if box else None}
        for start, box in places
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"schema_version": 1, "width": SIDE // 2, "height": SIDE // 2, "boxes": boxes}))
    options = FaceOptions(detector="box_track", file="boxes")
    asked: list[float] = []
    track = face_track(
        film, store, options, {"boxes": ModelFile(path, None, "own")}, speaker=None, seconds=2, on_second=asked.append
    )
    rows = list(tracks_at(track, 25, SIDE))
    assert asked == []
    assert [row.shot for row in rows] == [0] * 13 + [-1] * 12 + [1] * 25
    assert rows[0].face is not None
    assert rows[0].face.box == Box(x=116, y=68, width=100, height=100), "from brows to chin is three quarters across"
    assert rows[20].transform is None
    transform = rows[49].transform
    assert transform is not None
    assert transform @ (156, 144, 1) == pytest.approx((196, 144)), "the box went 20 pixels of the small picture"
    assert 9 <= sum(row.looked for row in rows) <= 13, "five times a second"


def test_a_placed_box_counts_in_the_delivered_pictures_pixels(store: LocalArtifactStore, film: ArtifactRef) -> None:
    options = FaceOptions(detector="box", box=Box(x=60, y=40, width=38, height=52))
    ask: dict[str, Any] = {"speaker": None, "seconds": 1, "on_second": lambda done: None}
    small = face_track(film, store, options, {}, long_side=SIDE // 2, **ask)
    assert (small.width, small.height) == (SIDE // 2, SIDE // 2)
    assert face_track(film, store, options, {}, **ask).width == SIDE
    with pytest.raises(ProviderRejected, match=f"inside the picture of {SIDE // 4}x{SIDE // 4} pixels"):
        face_track(film, store, options, {}, long_side=SIDE // 4, **ask)


def test_in_a_photo_a_placed_face_is_the_only_one(tmp_path: Path, samples: Path) -> None:
    two = beside(samples, (0, 60, 220), (400, 10, 270))
    assert len(faces_in_picture(two, FaceOptions(), {})) == 2
    (face,) = faces_in_picture(two, FaceOptions(detector="box", box=Box(x=70, y=90, width=76, height=104)), {})
    assert face.box.width == 100
    path = tmp_path / "boxes.json"
    path.write_text('{"schema_version": 1, "width": 9, "height": 9, "boxes": [{"start_seconds": 0, "box": null}]}')
    models = {"boxes": ModelFile(path, None, "own")}
    assert faces_in_picture(two, FaceOptions(detector="box_track", file="boxes"), models) == []
