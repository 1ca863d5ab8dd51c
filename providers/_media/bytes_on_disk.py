"""What would be long in memory: bytes in a file without a name, appended to and read back in pieces."""

import os
import tempfile
import weakref

from contracts.errors import ProviderFailed


class BytesOnDisk:
    """The file is in the folder for temporary files, which is the attempt's own, and vanishes with the object."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self.size = 0

    def append(self, content: bytes) -> None:
        """Raises: ProviderFailed: the disk is full."""
        left = memoryview(content)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise ProviderFailed(
                f"a clip cannot be kept in the folder for temporary files ({error.strerror}); free some space there"
            ) from error
        self.size += len(content)

    def read(self, start: int, count: int) -> bytes:
        return os.pread(self._file.fileno(), count, start)
