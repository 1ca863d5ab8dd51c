"""How long the request's audio is, by decoding it, in bounded memory."""

from contracts.context import ProviderContext
from contracts.script import ScriptGenerationRequest
from providers._media.audio import read_audio_blocks
from providers._speech.decoding import SAMPLE_RATE_HZ


def duration_seconds(request: ScriptGenerationRequest, context: ProviderContext) -> float:
    """Seconds, rounded to milliseconds. Raises: ProviderRejected: no sound in the file."""
    path = context.artifacts.fetch(request.audio_track)
    blocks = read_audio_blocks(path, sample_rate_hz=SAMPLE_RATE_HZ, mono=True)
    return round(sum(block.shape[1] for block in blocks) / SAMPLE_RATE_HZ, 3)
