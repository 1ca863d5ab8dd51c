"""One digest of the platform's own code as installed here: two machines that work together must agree on it."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("contracts", "providers", "sparkle_dagster")


@cache
def code_digest() -> str:
    """16 hex digits, from every Python file's path and bytes."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        spec = find_spec(package)
        for root in map(Path, (spec and spec.submodule_search_locations) or ()):
            for file in sorted(root.rglob("*.py")):
                digest.update(f"{package}/{file.relative_to(root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
