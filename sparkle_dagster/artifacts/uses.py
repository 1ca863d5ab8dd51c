"""What a sweep asks a store for: stored things with the time of their last use, by the store's own clock."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BlobUse:
    """Stored bytes. ``version`` changes when they are used again."""

    digest: str
    size_bytes: int
    used: float
    """Seconds since the epoch."""
    version: tuple[int, int]


@dataclass(frozen=True)
class RefEntry:
    """One file or object of a key."""

    key: str
    name: str
    modified: float


@dataclass(frozen=True)
class NameUse:
    """A name and what it was last given."""

    key: str
    digest: str
    given: float
    version: tuple[int, int]
