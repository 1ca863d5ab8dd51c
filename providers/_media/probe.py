"""What a file is, found by decoding all of it once. No number is taken from a header or a name."""

from pathlib import Path

from contracts.artifacts import MediaInfo
from providers._media.survey import survey


def probe(path: Path) -> MediaInfo:
    """Facts of any file; kind ``text`` or ``data`` for what is neither sound nor picture.

    Raises:
        ProviderRejected: media that does not open, holds nothing that decodes, or is outside the limits.
    """
    return survey(path)
