"""How much processor time and memory looking at an untrusted file may take; the kernel keeps these bounds."""

import math
import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ProviderRejected


@contextmanager
def bounded_process(cpu_seconds: int, memory_bytes: int) -> Generator[None]:
    """Inside, this process may take so much more than it has taken already.

    One that takes more time is ended by SIGXCPU; to one that wants more memory it is refused.

    Raises:
        ProviderRejected: the memory did not suffice.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    before = [
        _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds),
        _lower(resource.RLIMIT_DATA, _data_bytes() + memory_bytes),
    ]
    try:
        yield
    except MemoryError as error:
        raise ProviderRejected(
            f"expected a file that is read in {memory_bytes // 2**20} MiB of memory, got one that needs more"
        ) from error
    finally:
        for which, limits in zip((resource.RLIMIT_CPU, resource.RLIMIT_DATA), before, strict=True):
            resource.setrlimit(which, limits)


def _lower(which: int, value: int) -> tuple[int, int]:
    """Set the soft limit unless there is a lower one; the limits as they were."""
    soft, hard = resource.getrlimit(which)
    if soft == resource.RLIM_INFINITY or value < soft:
        resource.setrlimit(which, (value, hard))
    return soft, hard


def _data_bytes() -> int:
    """What counts for RLIMIT_DATA: private writable memory, proc_pid_statm(5)."""
    return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
