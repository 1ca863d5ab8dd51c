"""What the Wav2Lip benchmark works on: golden weights; 720p25 clips of the shipped portrait, the shipped voice."""

import wave
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt

from contracts.artifacts import Box
from contracts.production import DeliveryProfile
from providers._media.encode import VideoWriter
from providers._media.probe import probe
from tests.providers.lipsync.golden_wav2lip import golden_weights

SAMPLES = Path(__file__).parents[2] / "samples"
WIDTH, HEIGHT, FPS = 1280, 720, 25
PIECE_SECONDS = 10
BOX = Box(x=520, y=150, width=240, height=290)
"""Around the face of the clip, as it sways."""


def write_weights(folder: Path) -> Path:
    from safetensors.torch import save_file

    path = folder / "weights"
    save_file({key: value.contiguous() for key, value in golden_weights().items()}, path)
    return path


def make_clip(folder: Path, seconds: int) -> tuple[Path, Path]:
    """A video without sound and a voice of the same length."""
    video, voice = folder / f"clip{seconds}.mp4", folder / f"voice{seconds}.wav"
    if not video.exists():
        piece = folder / "piece.mp4"
        if not piece.exists():
            profile = DeliveryProfile(preset="veryfast", crf=18)
            with VideoWriter(piece, width=WIDTH, height=HEIGHT, fps=FPS, profile=profile) as writer:
                for picture in pictures(PIECE_SECONDS * FPS):
                    writer.write(picture)
        _repeat(piece, video, seconds // PIECE_SECONDS)
        facts_of(video).write_text(probe(video).model_dump_json())
        write_voice(voice, seconds)
    return video, voice


def facts_of(video: Path) -> Path:
    """What inspection found, as every upload's ref carries it."""
    return video.with_suffix(".json")


def pictures(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """The portrait, swaying; the last one leads into the first."""
    still = cv2.imread(str(SAMPLES / "presenter.png"))
    height, width = still.shape[:2]
    for number in range(count):
        phase = 2 * np.pi * number / count
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), 2 * np.sin(phase), HEIGHT / height)
        turn[:, 2] += np.array(
            [(WIDTH - width) / 2 + 12 * np.sin(2 * phase), (HEIGHT - height) / 2 + 6 * np.cos(phase)]
        )
        shown = cv2.warpAffine(still, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(shown, np.uint8)


def write_voice(path: Path, seconds: float, *, start: int = 0) -> Path:
    """The shipped voice over and over, from a sample on."""
    with wave.open(str(SAMPLES / "voice.wav"), "rb") as file:
        settings, spoken = file.getparams(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    wanted = np.resize(
        np.roll(spoken, -start * settings.nchannels), round(seconds * settings.framerate) * settings.nchannels
    )
    with wave.open(str(path), "wb") as file:
        file.setparams(settings)
        file.writeframes(wanted.tobytes())
    return path


def _repeat(piece: Path, target: Path, times: int) -> None:
    """The same packets again and again, later each time."""
    with av.open(str(target), "w") as output:
        stream = None
        for turn in range(times):
            with av.open(str(piece)) as source:
                video = source.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                shift = round(turn * PIECE_SECONDS / video.time_base)
                for packet in source.demux(video):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = stream
                        output.mux(packet)
