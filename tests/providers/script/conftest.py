"""Short pieces of the shipped recordings, and the script providers run as a test needs them."""

import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from contracts.artifacts import ArtifactRef
from contracts.context import ProviderContext
from contracts.script import ScriptGenerationRequest, ScriptResult
from contracts.tasks import ScriptGenerationTask
from providers._media.audio import read_audio
from sparkle_dagster.artifacts.local import LocalArtifactStore

Samples = npt.NDArray[np.float32]
RATE_HZ = 16_000
PHRASE = "Unless to be rather cold-hearted"
PHRASE_SECONDS = 2.22  # of voice_short.wav


def write_wav(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return path


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.fixture(scope="session")
def recordings() -> Path:
    return Path(__file__).parents[3] / "samples"


@pytest.fixture(scope="session")
def voice(recordings: Path) -> Samples:
    """7.1 s: ``voice.txt``."""
    return read_audio(recordings / "voice.wav")


@pytest.fixture(scope="session")
def voice_short(recordings: Path) -> Samples:
    """5.3 s: ``voice_short.txt``."""
    return read_audio(recordings / "voice_short.wav")


@pytest.fixture(scope="session")
def phrase(voice_short: Samples) -> Samples:
    """The first words of ``voice_short``: ``PHRASE``."""
    return voice_short[: round(PHRASE_SECONDS * RATE_HZ)]


@pytest.fixture
def put_text(store: LocalArtifactStore) -> Callable[..., ArtifactRef]:
    def put(text: str | bytes, media_type: str = "text/plain") -> ArtifactRef:
        return store.put(BytesIO(text.encode() if isinstance(text, str) else text), media_type)

    return put


@pytest.fixture
def put_sound(store: LocalArtifactStore, tmp_path: Path) -> Callable[[Samples], ArtifactRef]:
    return lambda samples: store.put(write_wav(tmp_path / "sound.wav", samples), "audio/wav")


@pytest.fixture
def script(
    context: ProviderContext,
    put_sound: Callable[[Samples], ArtifactRef],
    put_text: Callable[..., ArtifactRef],
) -> Callable[..., ScriptResult]:
    """Run a provider on samples: ``script(provider, samples, "the words", language="en")``."""

    def run(
        provider: type[ScriptGenerationTask],
        samples: Samples,
        text: str | bytes | None = None,
        *,
        options: dict[str, Any] | None = None,
        **fields: Any,
    ) -> ScriptResult:
        transcript = put_text(text) if text is not None else None
        request = ScriptGenerationRequest(audio_track=put_sound(samples), transcript=transcript, **fields)
        return provider(provider.Options(**(options or {})), context).run(request)

    return run
