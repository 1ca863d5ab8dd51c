"""What a simulated disk is made of: files and directories, each with what is synced and what is not."""

from collections.abc import Callable
from dataclasses import dataclass, field

TORN: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data,
    lambda data: b"",
    lambda data: data[: len(data) // 2],
    lambda data: bytes(len(data)),
    lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    lambda data: bytes(len(data) // 2) + data[len(data) // 2 :],
)
"""What may be left of bytes that were written and not synced: all, none, a prefix, zeros, zeros behind or before."""


@dataclass(eq=False)
class Inode:
    """A file or a directory: as the running system sees it, and what the disk would remember."""

    path: str
    is_directory: bool
    data: bytes = b""
    synced_data: bytes = b""
    names: "dict[str, Inode]" = field(default_factory=dict)
    synced_names: "dict[str, Inode]" = field(default_factory=dict)
    unsynced: "list[tuple[str, Inode | None]]" = field(default_factory=list)
    """Names given (an inode) or taken away (None) since the last sync, in order."""

    def name(self, name: str, inode: "Inode | None") -> None:
        if inode is None:
            del self.names[name]
        else:
            self.names[name] = inode
        self.unsynced.append((name, inode))

    def sync(self) -> None:
        self.synced_data = self.data
        self.synced_names = dict(self.names)
        self.unsynced.clear()
