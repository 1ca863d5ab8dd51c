"""Which results are remembered: where the pointers of the memo lead, as far as they are within their age."""

import json
from contextlib import suppress

from contracts.errors import ArtifactError
from sparkle_dagster.artifacts.store import ArtifactStore

MEMO = "memo/"
"""Names ``memo/<node>/<key>`` lead to a small document ``{"key": ..., "generation": ...}``."""


def remembered_places(store: ArtifactStore, given_since: float) -> frozenset[tuple[str, int]]:
    """Key and generation of every result that a pointer younger than ``given_since`` leads to."""
    found: set[tuple[str, int]] = set()
    for use in store.name_uses():
        if not use.key.startswith(MEMO) or use.given < given_since:
            continue
        with suppress(ArtifactError, ValueError, KeyError, TypeError):  # a pointer that leads nowhere keeps nothing
            ref = store.named(use.key)
            if ref is not None:
                with store.open(ref) as stream:
                    pointer = json.load(stream)
                found.add((str(pointer["key"]), int(pointer["generation"])))
    return frozenset(found)
