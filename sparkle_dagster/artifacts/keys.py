"""Names inside the store: checked here, once, before any of them becomes a path."""

import re
from pathlib import Path

from contracts.errors import ContractViolation

_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PART = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(\.[a-z0-9_-]{1,64}){0,3}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ENTRY = re.compile(r"@(gone)?[1-9][0-9]{0,17}")
_MAX_PARTS = 8
_MAX_PART_CHARS = 200  # file systems take 255 bytes


def checked_workspace(name: str) -> str:
    """Raises: ContractViolation."""
    if not _WORKSPACE.fullmatch(name):
        raise ContractViolation(
            f"workspace: expected 1-64 of a-z 0-9 _ - that begin with a letter or digit, got {name!r}"
        )
    return name


def checked_key(key: str) -> str:
    """A key such as ``aligned_video/interview-0123456789abcdef``.

    Raises: ContractViolation.
    """
    parts = key.split("/")
    if len(parts) > _MAX_PARTS or not all(_PART.fullmatch(part) and len(part) <= _MAX_PART_CHARS for part in parts):
        raise ContractViolation(
            f"key: expected <asset>/<production> of a-z 0-9 _ - and inner dots, got {key[:200]!r}; "
            "names from outside belong into metadata, not into keys"
        )
    return key


def checked_entry(name: str) -> str:
    """A file of a key, such as ``@3``. Raises: ContractViolation."""
    if not _ENTRY.fullmatch(name):
        raise ContractViolation(f"entry: expected @<number> or @gone<number>, got {name[:80]!r}")
    return name


def checked_digest(digest: str) -> str:
    """Raises: ContractViolation."""
    if not _DIGEST.fullmatch(digest):
        raise ContractViolation(f"digest: expected 64 hex digits, got {digest[:80]!r}")
    return digest


def blob_path(digest: str) -> str:
    """Where a blob lies, relative to the workspace's root; equal in every store."""
    return f"cas/sha256/{digest[:2]}/{digest}"


class Layout:
    """The directories of one workspace; the drawing is in the decision record of the local store."""

    def __init__(self, root: Path, workspace: str) -> None:
        self.root = root
        self.home = root / "ws" / checked_workspace(workspace)
        self.incoming = self.home / "incoming"
        self.blobs = self.home / "cas" / "sha256"
        self.refs = self.home / "refs"
        self.names = self.home / "names"
        self.quarantine = self.home / "quarantine"
        self.gc_lock = self.home / "gc.lock"
        self.quarantine_lock = self.home / "quarantine.lock"

    def blob(self, digest: str) -> Path:
        return self.home / blob_path(digest)

    def directories(self) -> tuple[Path, ...]:
        """Below the root, parents first."""
        home = self.home
        return (home.parent, home, self.incoming, self.blobs.parent, self.blobs, self.refs, self.names, self.quarantine)
