"""What is opened at all: by content, never by name, and nothing that reaches beyond the file."""

import os
import socket
import struct
import threading
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from contracts.errors import ProviderRejected
from providers._media.limits import MediaLimits
from providers._media.opening import Nameless, open_media, sniff
from providers._media.probe import probe
from providers._media.stills import read_picture
from providers._media.survey import survey
from tests.media import make_sound, make_tone, make_video, tone, truncate


class CountingServer:
    """A loopback server that answers nothing and counts who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.visits = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[CountingServer]:
    server = CountingServer()
    yield server
    server.close()


def lures(address: str) -> dict[str, bytes]:
    """Texts that make a careless reader fetch or open something else."""
    return {
        "a playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://{address}/a.ts\n#EXT-X-ENDLIST\n".encode(),
        "a list of other files": b"ffconcat version 1.0\nfile neighbour.mp4\n",
        "a session description (SDP)": (
            f"v=0\no=- 0 0 IN IP4 {address}\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n".encode()
        ),
        "an SVG drawing": f'<?xml version="1.0"?>\n<svg><image href="http://{address}/x.png"/></svg>'.encode(),
        "a streaming manifest": f'<?xml version="1.0"?>\n<MPD><BaseURL>http://{address}/</BaseURL></MPD>'.encode(),
        "a web page": b"<!DOCTYPE html><html></html>",
    }


@pytest.mark.parametrize("name", list(lures("")))
@pytest.mark.parametrize("ending", [".mp4", ".m3u8", ".wav"])
def test_file_that_points_elsewhere_is_refused_by_what_it_is(
    name: str, ending: str, server: CountingServer, tmp_path: Path
) -> None:
    path = tmp_path / f"upload{ending}"
    path.write_bytes(lures(server.address)[name])
    make_video(tmp_path / "neighbour.mp4", seconds=0.2)
    with pytest.raises(ProviderRejected, match=name.replace("(", r"\(").replace(")", r"\)")), open_media(path):
        pass
    assert server.visits == 0


@pytest.mark.parametrize("name", ["a playlist", "a list of other files", "a session description (SDP)"])
def test_lure_behind_a_music_tag_is_refused_too(name: str, server: CountingServer, tmp_path: Path) -> None:
    """libav skips an ID3 tag before it looks at the content, so the first bytes alone are no defence."""
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3\x03\x00\x00\x00\x00\x00\x0a" + bytes(10) + lures(server.address)[name])
    assert sniff(path) == "media"
    with pytest.raises(ProviderRejected), open_media(path) as container:
        next(container.demux())
    assert server.visits == 0


def test_counting_server_counts(server: CountingServer) -> None:
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.recv(1)
    assert server.visits == 1


def test_libav_is_told_no_name(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "secret_name.wav", seconds=0.1)
    with path.open("rb") as file:
        assert not hasattr(Nameless(file), "name")
    with open_media(path) as container:
        assert container.name == "<none>"


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda path: make_video(path.with_suffix(".mp4"), seconds=0.1), "media"),
        (lambda path: make_video(path.with_suffix(".webm"), seconds=0.1, codec="libvpx-vp9"), "media"),
        (lambda path: make_video(path.with_suffix(".ts"), seconds=0.4), "media"),
        (lambda path: make_video(path.with_suffix(".avi"), seconds=0.1), "media"),
        (lambda path: make_tone(path.with_suffix(".wav"), seconds=0.1), "media"),
        (lambda path: make_tone(path.with_suffix(".mp3"), seconds=0.1), "media"),
        (lambda path: make_tone(path.with_suffix(".flac"), seconds=0.1), "media"),
        (lambda path: make_tone(path.with_suffix(".ogg"), seconds=0.1), "media"),
        (lambda path: make_sound(path.with_suffix(".aac"), tone(0.1, 48_000), 48_000, codec="aac"), "media"),
        (lambda path: make_sound(path.with_suffix(".aiff"), tone(0.1, 48_000), 48_000, codec="pcm_s16be"), "media"),
    ],
)
def test_kind_comes_from_the_bytes_whatever_the_name(make, kind: str, tmp_path: Path) -> None:
    made = make(tmp_path / "made")
    renamed = made.rename(tmp_path / "holiday.txt")
    assert sniff(renamed) == kind
    assert probe(renamed).kind in {"video", "audio"}


def test_picture_named_as_video_is_a_picture(samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes((samples / "presenter.png").read_bytes())
    assert sniff(path) == "picture"
    assert probe(path).kind == "image"
    with pytest.raises(ProviderRejected, match="got a picture"), open_media(path):
        pass


def test_text_named_as_picture_is_a_text(samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "face.png"
    path.write_bytes((samples / "voice.txt").read_bytes())
    assert probe(path).kind == "text"
    with pytest.raises(ProviderRejected, match="expected a PNG, JPEG or WebP"):
        read_picture(path)


@pytest.mark.parametrize("content", [bytes(range(256)) * 8, b"\x00" * 4096, b"PK\x03\x04" + bytes(400)])
def test_unknown_bytes_are_data_and_do_not_open(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    assert probe(path).kind == "data"
    with pytest.raises(ProviderRejected, match="bytes of no known kind"), open_media(path):
        pass


def test_heic_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "face.heic"
    path.write_bytes(struct.pack(">I", 24) + b"ftypheic" + bytes(500))
    with pytest.raises(ProviderRejected, match="save it as JPEG or PNG"), open_media(path):
        pass


def test_empty_file_directory_and_pipe_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    for path, words in (
        (tmp_path / "empty.wav", "an empty one"),
        (tmp_path, "regular file"),
        (tmp_path / "pipe.wav", "regular file"),
    ):
        with pytest.raises(ProviderRejected, match=words), open_media(path):
            pass


def test_missing_file_is_refused_without_its_place(tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected) as rejection, open_media(tmp_path / "gone.wav"):
        pass
    assert str(tmp_path) not in str(rejection.value)


def test_recording_without_its_index_says_so(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", faststart=False)
    with (
        pytest.raises(ProviderRejected, match="its index is missing"),
        open_media(truncate(whole, tmp_path / "cut.mp4", 0.7)),
    ):
        pass


def test_unlisted_codec_is_refused_by_name(tmp_path: Path) -> None:
    path = make_video(tmp_path / "old.avi", codec="wmv2", seconds=0.2)
    with pytest.raises(ProviderRejected, match="got wmv2; convert the file"), open_media(path):
        pass


def test_size_limit_is_kept(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "x.wav", seconds=0.1)
    with (
        pytest.raises(ProviderRejected, match="expected up to 100 bytes"),
        open_media(path, MediaLimits(max_bytes=100)),
    ):
        pass


def test_frame_too_wide_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "wide.mp4", seconds=0.04, width=8704, height=32)
    with pytest.raises(ProviderRejected, match="got 8704x32"), open_media(path):
        pass


@pytest.mark.parametrize(("side", "words"), [(50_000, "got far more"), (12_000, "got 12000x12000")])
def test_picture_bomb_is_refused_before_it_is_unpacked(side: int, words: str, tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    path = tmp_path / "bomb.png"
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    for read in (read_picture, probe):
        with pytest.raises(ProviderRejected, match=words):
            read(path)


def test_hours_of_nothing_are_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "bomb.mp4", times_seconds=[0, 0.04, 20_000])
    assert path.stat().st_size < 20_000
    with pytest.raises(ProviderRejected, match="expected at most 14400 s"):
        probe(path)


def test_frame_count_limit_is_kept(tmp_path: Path) -> None:
    path = make_video(tmp_path / "x.mp4", seconds=1)
    with pytest.raises(ProviderRejected, match="expected at most 10 frames"):
        survey(path, limits=MediaLimits(max_frames=10))


def test_file_whose_streams_are_of_no_use_is_refused(tmp_path: Path) -> None:
    """Only bytes of an unknown kind inside: nothing to see or hear, and nothing else is decoded instead."""
    path = tmp_path / "x.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_data_stream()
        container.start_encoding()
        for number in range(50):
            packet = av.Packet(bytes(200))
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
            container.mux(packet)
    with pytest.raises(ProviderRejected, match="nothing decodes"):
        probe(path)


@pytest.mark.parametrize(("offset", "value", "words"), [(24, 2_147_483_647, "sample rate"), (22, 65_535, "channels")])
def test_sound_header_that_lies_is_refused(offset: int, value: int, words: str, tmp_path: Path) -> None:
    """The WAV header's fields: channels at byte 22 (16 bit), sample rate at byte 24 (32 bit)."""
    path = make_tone(tmp_path / "x.wav", seconds=0.1)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I" if offset == 24 else "<H", content, offset, value)
    path.write_bytes(content)
    with pytest.raises(ProviderRejected, match=words):
        probe(path)


def test_chunk_that_claims_gigabytes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    path = make_tone(tmp_path / "x.wav", seconds=0.1)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"LIST") + 4, 0x7F000000)
    path.write_bytes(content)
    with pytest.raises(ProviderRejected, match="claims more than it holds"):
        probe(path)


def test_frames_that_grow_beyond_the_limit_are_not_decoded(tmp_path: Path) -> None:
    """Motion JPEG may change its size from frame to frame, whatever the header said."""
    path = tmp_path / "growing.avi"
    make_growing_mjpeg(path, [(64, 48), (64, 48), (640, 480)])
    assert survey(path).video.frame_count == 3
    limited = survey(path, limits=MediaLimits(max_pixels=64 * 48 * 4))
    assert limited.video.frame_count == 2
    assert limited.decode_errors == 1


def make_growing_mjpeg(path: Path, sizes: list[tuple[int, int]]) -> None:
    """A real AVI whose packets are JPEG pictures of the given (width, height)."""
    import io

    from PIL import Image

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuvj420p"
        container.start_encoding()
        for number, size in enumerate(sizes):
            jpeg = io.BytesIO()
            Image.linear_gradient("L").resize(size).convert("RGB").save(jpeg, "JPEG")
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
