"""What decides a provider's output besides its request: class, version, options, and the bytes of files they name.

Not here: the request, and libraries below a provider; a provider's ``version`` answers for those.
"""

import hashlib
import inspect
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sparkle_dagster.registry.candidates import ProviderCandidate
from sparkle_dagster.registry.discovery import registered_providers


@dataclass(frozen=True)
class Fingerprint:
    """One provider as it is configured here, today."""

    name: str
    version: str
    options: dict[str, Any]
    """Defaults included; a path stands as it was written."""
    files: dict[str, str]
    """Option that names a file -> SHA-256 of its bytes."""
    weights: dict[str, str]
    """Model name -> SHA-256 of its bytes."""
    code: str
    """Its class; with the digest of its file where no package versions it."""
    deterministic: bool

    @property
    def document(self) -> dict[str, Any]:
        """All of it that decides the output: a file counts by its bytes, wherever it lies."""
        options = {name: value for name, value in self.options.items() if name not in self.files}
        facts = {"name": self.name, "version": self.version, "code": self.code, "options": options}
        return {**facts, "files": self.files, "weights": self.weights}


def fingerprint_of(candidate: ProviderCandidate, digests: Path) -> Fingerprint:
    """The fingerprint of a provider that can be imported here.

    Args:
        digests: file that remembers digests of large files by their size and time, so that they are read once.
    """
    values = {name: getattr(candidate.options, name) for name in type(candidate.options).model_fields}
    paths = {name: value for name, value in values.items() if isinstance(value, Path) and value.is_file()}
    return Fingerprint(
        name=candidate.name,
        version=candidate.version,
        options=candidate.options.model_dump(mode="json"),
        files={name: file_digest(path, digests) for name, path in paths.items()},
        weights=_weights(candidate, digests),
        code=_code_of(candidate),
        deterministic=candidate.provider.deterministic if candidate.provider else False,
    )


def file_digest(path: Path, digests: Path) -> str:
    """SHA-256 of a file, 64 hex digits; read again only when its size, time or place changed."""
    stat = path.stat()
    return _digest(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ino, digests)


@cache
def _digest(path: Path, size_bytes: int, mtime_ns: int, inode: int, digests: Path) -> str:
    stamp = f"{path}|{size_bytes}|{mtime_ns}|{inode}"
    known = _known(digests)
    if stamp not in known:
        with path.open("rb") as stream:
            known[stamp] = hashlib.file_digest(stream, "sha256").hexdigest()
        _write(digests, known)
    return known[stamp]


def _known(digests: Path) -> dict[str, str]:
    try:
        found: object = json.loads(digests.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _write(digests: Path, known: dict[str, str]) -> None:
    digests.parent.mkdir(parents=True, exist_ok=True)
    temporary = digests.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(known), encoding="utf-8")
    temporary.replace(digests)


def _weights(candidate: ProviderCandidate, digests: Path) -> dict[str, str]:
    """A digest that the tool registry pins counts unread: other bytes are refused when they are loaded."""
    found = {name: model for name, model in candidate.models.items() if model is not None}
    return {
        name: model.sha256 or file_digest(model.path, digests)
        for name, model in found.items()
        if model.sha256 or model.path.is_file()
    }


def _code_of(candidate: ProviderCandidate) -> str:
    """``module:Class``; a class that the registry names itself has no package's version: its file is its version."""
    registered = registered_providers().get((candidate.capability, candidate.name))
    if candidate.provider is None or (registered is not None and registered.target == candidate.target):
        return candidate.target
    file = inspect.getsourcefile(candidate.provider)
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    return f"{candidate.target} {digest}".strip()
