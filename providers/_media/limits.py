"""How much of an untrusted file is read before it is refused. Numbers only; opening, decode and stills enforce them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MediaLimits:
    """Bounds that a phone's recording never meets and a bomb does."""

    max_bytes: int = 16 * 2**30
    max_streams: int = 24
    """A phone's .mov carries up to ten timed metadata streams."""
    max_side: int = 8192
    max_pixels: int = 8192 * 4352
    """One frame, as coded: 8K video with padding."""
    max_picture_pixels: int = 120_000_000
    """One still picture; phones make up to 108 megapixels."""
    max_duration_seconds: float = 4 * 3600.0
    max_frames: int = 4 * 3600 * 120
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 384_000
    max_channels: int = 16
    max_pixel_aspect: float = 4.0
    """Wider or narrower pixels than this are a lie of the header and read as square."""
    max_text_chars: int = 2_000
    max_tags: int = 32
    max_tag_chars: int = 300


DEFAULT_LIMITS = MediaLimits()
