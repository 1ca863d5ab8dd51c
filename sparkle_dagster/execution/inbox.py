"""The inbox: which files belong together, which have settled, and which production they are. Opens no media.

``name.wav`` starts a production; files of the same stem join it: a picture or video is the face, a text is the
transcript, ``name.yaml`` the options. Everything else in the folder is left alone, and ``left_alone`` says why.
"""

import hashlib
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROLE_BY_SUFFIX: dict[str, str] = {
    **dict.fromkeys((".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".aiff"), "audio"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".mp4", ".mov", ".webm"), "face"),
    **dict.fromkeys((".txt", ".srt", ".vtt"), "transcript"),
    ".yaml": "options",
}
MEDIA_TYPE_BY_SUFFIX: dict[str, str] = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".aiff": "audio/aiff",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".txt": "text/plain",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".yaml": "application/yaml",
}
ROLES = ("audio", "face", "transcript", "options")
OWN_FOLDERS = ("admitted", "quarantine")
PRIVATE_COPIES = ".drops"
"""Folder of the inbox for copies of what a command was given: the person keeps the files themselves."""

FileState = tuple[int, ...]
_digests: dict[Path, tuple[FileState, str]] = {}
"""Of files as they last were, so that a file that stays in the inbox is read once and not at every look."""
MAX_REMEMBERED_DIGESTS = 4096


@dataclass(frozen=True)
class InboxGroup:
    """Files of one stem, by role; ``extra`` are second files for a role that is taken."""

    stem: str
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    extra: tuple[Path, ...] = ()


def list_groups(inbox: Path) -> list[InboxGroup]:
    """Regular files directly in ``inbox``, grouped by stem.

    Not seen: hidden and ``.part`` files, and names of bytes that are not UTF-8, which no event log can hold.
    """
    files: dict[str, dict[str, Path]] = {}
    extra: dict[str, list[Path]] = {}
    for path in sorted(inbox.iterdir()) if inbox.is_dir() else []:
        role = ROLE_BY_SUFFIX.get(path.suffix.lower())
        if role is None or path.name.startswith(".") or not _is_utf8(path.name) or not is_regular_file(path):
            continue
        group = files.setdefault(path.stem, {})
        if role in group:
            extra.setdefault(path.stem, []).append(path)
        else:
            group[role] = path
    return [InboxGroup(stem, group, tuple(extra.get(stem, ()))) for stem, group in files.items()]


def left_alone(inbox: Path) -> dict[str, str]:
    """Name -> why nothing becomes of it, for what is not a voice, a face, a transcript or options of a regular file.

    Not named: hidden and ``.part`` files, which may still be coming, and the inbox's own folders.
    """
    groups = list_groups(inbox)
    taken = {path for group in groups for path in group.files.values()}
    second = {path: group.files[ROLE_BY_SUFFIX[path.suffix.lower()]].name for group in groups for path in group.extra}
    reasons: dict[str, str] = {}
    for path in sorted(inbox.iterdir()) if inbox.is_dir() else []:
        if path in taken or path.name.startswith(".") or path.suffix == ".part" or path.name in OWN_FOLDERS:
            continue
        reasons[os.fsencode(path.name).decode(errors="backslashreplace")] = _why_left(path, second.get(path))
    return reasons


def _why_left(path: Path, first: str | None) -> str:
    if first is not None:
        return f"expected one {ROLE_BY_SUFFIX[path.suffix.lower()]} of this name, {first} is there already"
    if not _is_utf8(path.name):
        return "expected a name in UTF-8"
    if not is_regular_file(path):
        return "expected a file, got a folder, a link or a pipe"
    known = " ".join(ROLE_BY_SUFFIX)
    return f"expected one of {known}, got {path.suffix or 'no ending'}"


def has_settled(paths: Iterable[Path], settle_seconds: float) -> bool:
    """No file has changed for ``settle_seconds``: neither its content nor its directory entry."""
    now = time.time()
    for path in paths:
        status = path.lstat()
        if now - max(status.st_mtime, status.st_ctime) < settle_seconds:
            return False
    return True


def digest_of_file(path: Path) -> str:
    """SHA-256 of a regular file, 64 hex digits; symbolic links are not followed. An unchanged file is read once."""
    state = _state_of(path)
    if is_hashed(path):
        return _digests[path][1]
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(_digests) >= MAX_REMEMBERED_DIGESTS:
        _digests.clear()
    _digests[path] = (state, digest)
    return digest


def is_hashed(path: Path) -> bool:
    """The digest of this file, as it is now, is known: asking for it reads nothing."""
    return path in _digests and _digests[path][0] == _state_of(path)


def is_regular_file(path: Path) -> bool:
    """A file itself: no link, no pipe, no folder; False when there is none."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _state_of(path: Path) -> FileState:
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def identity_of(audio_digest: str, face_digest: str) -> str:
    """A production's identity within its workspace, 64 hex digits: this voice with this face."""
    return hashlib.sha256(f"{audio_digest}\n{face_digest}\n".encode()).hexdigest()


def content_digest_of(digests: Mapping[str, str]) -> str:
    """Digest of everything an upload brought, by role; differs when a transcript or an option was corrected."""
    lines = "".join(f"{role} {digests[role]}\n" for role in ROLES if role in digests)
    return hashlib.sha256(lines.encode()).hexdigest()


def production_key(stem: str, identity: str) -> str:
    """``<slug>-<16 hex>``: the slug is for people, the hex digits are the identity."""
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "upload"
    return f"{slug}-{identity[:16]}"


def known_key(identity: str, keys: Iterable[str]) -> str | None:
    """The production that already has this identity, under whatever name it first came."""
    return next((key for key in keys if key.rsplit("-", 1)[-1] == identity[:16]), None)
