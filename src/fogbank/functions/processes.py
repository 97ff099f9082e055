"""What the kernel says of processes: who descends from whom, what memory they hold. Linux's /proc; elsewhere nothing,
and so no memory limit.

Reads of /proc are memory reads, some 10 us each, and so are done on the event loop.
"""

import os
import signal
from pathlib import Path


def tree(pid: int) -> list[int]:
    """`pid` and all that descend from it, parents first."""
    found = [pid]
    for parent in found:
        found.extend(_children(parent))
    return found


def peak(pid: int) -> int:
    """The most bytes of memory the process ever held: the kernel's high-water mark misses nothing between two looks."""
    return _field(f"/proc/{pid}/status", b"VmHWM:")


def proportional(pids: list[int]) -> int:
    """Bytes of memory the processes hold now; pages they share are counted in parts."""
    return sum(_field(f"/proc/{pid}/smaps_rollup", b"Pss:") for pid in pids)


def kill(pids: list[int]) -> None:
    """End processes at once; those already gone are no error."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def with_variable(entry: str) -> list[int]:
    """The processes started with `NAME=value` in their environment, or a parent's that they kept."""
    wanted = os.fsencode(entry)
    return [pid for pid in _all() if wanted in _read(f"/proc/{pid}/environ").split(b"\0")]


def _all() -> list[int]:
    if not Path("/proc/self").exists():
        return []
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):  # a kernel without CONFIG_PROC_CHILDREN
        return [other for other in _all() if _parent(other) == pid]
    return [int(child) for thread in threads for child in _read(f"/proc/{pid}/task/{thread}/children").split()]


def _parent(pid: int) -> int:
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()  # the name before may hold anything
    return int(fields[1]) if len(fields) > 1 else 0


def _field(path: str, name: bytes) -> int:
    """A line `Name:  1234 kB` of a status file, in bytes."""
    for line in _read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # the process ended between open and read
        return b""
    finally:
        os.close(descriptor)
