"""Stored bytes over HTTP: verified before they leave, in ranges so that a browser can seek, never run as a page."""

import mimetypes
import threading
from collections import OrderedDict
from pathlib import Path

from starlette.responses import FileResponse

from contracts.artifacts import ArtifactRef
from sparkle_dagster.artifacts.store import ArtifactStore

KEEP_BYTES = 2 * 2**30
"""Of verified copies; the ones that were asked for longest ago go first."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, max-age=31536000, immutable",
}


class VerifiedCopies:
    """A file is read and compared once, not at every range of it."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._copies: OrderedDict[str, tuple[Path, int]] = OrderedDict()
        self._lock = threading.Lock()

    def path_of(self, ref: ArtifactRef) -> Path:
        """Raises: ArtifactMissing, ArtifactCorrupt."""
        with self._lock:
            if ref.digest in self._copies:
                self._copies.move_to_end(ref.digest)
                return self._copies[ref.digest][0]
            path = self._store.fetch(ref)
            self._copies[ref.digest] = (path, ref.size_bytes)
            while sum(size for _, size in self._copies.values()) > KEEP_BYTES and len(self._copies) > 1:
                _, (oldest, _) = self._copies.popitem(last=False)
                oldest.unlink(missing_ok=True)
            return path


def file_response(path: Path, ref: ArtifactRef) -> FileResponse:
    """As an attachment: a media element plays it, a browser never shows it as a page of this service."""
    suffix = mimetypes.guess_extension(ref.media_type) or ".bin"
    return FileResponse(
        path,
        media_type=ref.media_type,
        headers={**HEADERS, "ETag": f'"{ref.digest}"'},
        filename=f"{ref.digest[:16]}{suffix}",
    )
