"""What a check of a store says: typed findings, each with its place, what it means and what to do."""

from enum import StrEnum

from pydantic import Field

from contracts.base import Model


class Problem(StrEnum):
    """What can be wrong with a store."""

    BLOB_CORRUPT = "blob_corrupt"
    BLOB_MISSING = "blob_missing"
    SIZE_DIFFERS = "size_differs"
    MANIFEST_CORRUPT = "manifest_corrupt"
    MANIFEST_MISPLACED = "manifest_misplaced"
    MANIFEST_SCHEMA = "manifest_schema"
    MANIFEST_LOST = "manifest_lost"
    GENERATION_GAP = "generation_gap"
    NAME_DAMAGED = "name_damaged"
    STRAY_FILE = "stray_file"
    UNREADABLE = "unreadable"
    LEFTOVER = "leftover"


MANIFEST_PROBLEMS = frozenset({Problem.MANIFEST_CORRUPT, Problem.MANIFEST_MISPLACED, Problem.MANIFEST_LOST})
"""The result itself is lost; the bytes that it refers to may be whole."""


class Finding(Model):
    """One thing that was found."""

    problem: Problem
    place: str = Field(description="Relative to the workspace's directory in the store.")
    message: str = Field(description="Expected and found.")
    remedy: str = Field(description="What to do.")
    is_damage: bool = Field(default=True, description="False: it harms nothing, such as a leftover of a dead process.")
    keys: tuple[str, ...] = Field(default=(), description="Keys whose newest generation cannot be used: make it again.")
    repaired: str = Field(default="", description="What a repair did.")

    def mended(self, how: str) -> "Finding":
        """Nothing is left to do."""
        return self.model_copy(update={"is_damage": False, "keys": (), "repaired": how})


class StoreReport(Model):
    """A whole check."""

    manifest_count: int = 0
    blob_count: int = 0
    size_bytes: int = Field(default=0, description="Of all stored bytes that were read.")
    live_count: int = Field(default=0, description="Private files and copies whose owner lives; not looked at.")
    findings: tuple[Finding, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not any(finding.is_damage for finding in self.findings)

    @property
    def lost_keys(self) -> tuple[str, ...]:
        """Keys that must be made again, sorted."""
        return tuple(sorted({key for finding in self.findings for key in finding.keys}))
