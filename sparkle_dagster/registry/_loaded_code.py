"""Whether the files that this process's modules came from are still the same."""

import sys
import time
from pathlib import Path

_Stamp = tuple[int, int]
"""Modification time in ns, size in bytes."""


class LoadedCode:
    """Looks at every module that is loaded, whoever it belongs to. ``note`` what was imported before it may change."""

    def __init__(self) -> None:
        self._seen: dict[str, _Stamp | None] = {}
        self._noted_at_ns = time.time_ns()
        self.note()

    def note(self) -> None:
        """Remember the files of modules that are new; one that changed while it was imported counts as changed."""
        since, self._noted_at_ns = self._noted_at_ns, time.time_ns()
        is_first = not self._seen
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and file not in self._seen:
                stamp = _stamp(file)
                if stamp is None:  # of a module that names a file and came from none, as torch.ops does
                    continue
                is_in_doubt = not is_first and stamp[0] > since
                self._seen[file] = None if is_in_doubt else stamp

    def has_changed(self) -> bool:
        return any(stamp is None or _stamp(file) != stamp for file, stamp in self._seen.items())


def _stamp(file: str) -> _Stamp | None:
    try:
        status = Path(file).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
