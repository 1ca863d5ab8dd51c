"""The plain way to run the same network, as the original does: every frame in memory, batches of 128, a file between.

Written for this comparison from the facts about the original's steps; detection and sound are left out on both sides.
"""

from pathlib import Path

import av
import cv2
import numpy as np
import torch

from contracts.artifacts import Box
from contracts.context import ModelFile
from contracts.production import DeliveryProfile
from providers._media.audio import read_audio
from providers._media.encode import VideoWriter
from providers.lipsync._wav2lip_checkpoint import load_generator
from providers.lipsync._wav2lip_mel import SAMPLE_RATE_HZ, mel_spectrogram, original_window_starts, window
from providers.lipsync._wav2lip_network import Generator

BATCH = 128


def generator(weights: Path) -> Generator:
    """With its batch norms, in the default memory format."""
    return load_generator(ModelFile(weights, None, "golden"))


@torch.no_grad()
def run(weights: Path, video: Path, voice: Path, box: Box, target: Path, profile: DeliveryProfile) -> int:
    """How many frames were written."""
    frames = []
    stream = cv2.VideoCapture(str(video))
    fps = stream.get(cv2.CAP_PROP_FPS)
    while True:
        is_read, frame = stream.read()
        if not is_read:
            break
        frames.append(frame)
    mel = mel_spectrogram(read_audio(voice, SAMPLE_RATE_HZ))
    windows = [window(mel, start) for start in original_window_starts(mel.shape[1], fps)]
    frames = frames[: len(windows)]
    model = generator(weights)
    height, width = frames[0].shape[:2]
    between = target.with_suffix(".avi")
    out = cv2.VideoWriter(str(between), cv2.VideoWriter.fourcc(*"DIVX"), fps, (width, height))
    rows, columns = slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
    for start in range(0, len(windows), BATCH):
        chosen = frames[start : start + BATCH]
        faces = np.asarray([cv2.resize(frame[rows, columns], (96, 96)) for frame in chosen])
        hidden = faces.copy()
        hidden[:, 48:] = 0
        seen = np.concatenate((hidden, faces), axis=3) / 255.0
        sound = np.reshape(np.asarray(windows[start : start + BATCH]), [len(chosen), 1, 80, 16])
        made = model(torch.FloatTensor(sound), torch.FloatTensor(np.transpose(seen, (0, 3, 1, 2))))
        for face, frame in zip(made.numpy().transpose(0, 2, 3, 1) * 255.0, chosen, strict=True):
            shown = frame.copy()
            shown[rows, columns] = cv2.resize(face.astype(np.uint8), (box.width, box.height))
            out.write(shown)
    out.release()
    _encode_again(between, target, fps, profile)
    return len(windows)


def _encode_again(between: Path, target: Path, fps: float, profile: DeliveryProfile) -> None:
    """By the same encoder with the same settings as the provider's output."""
    with av.open(str(between)) as source:
        stream = source.streams.video[0]
        stream.thread_type = "AUTO"
        size = {"width": stream.width, "height": stream.height}
        with VideoWriter(target, **size, fps=fps, profile=profile) as writer:
            for frame in source.decode(stream):
                writer.write_planar(frame.to_ndarray())
