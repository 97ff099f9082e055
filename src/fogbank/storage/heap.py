"""The heap of the C library, which would keep for itself what is freed.

glibc learns: once a large block was freed, blocks of that size come from the heap, where anything small behind them
keeps the whole from going back to the system. An engine that now and then takes tens of megabytes so makes the process
grow for good. With a fixed bound large blocks go back as soon as they are freed, and `give_back` does it for the rest.
Where there is no such library there is nothing to do.
"""

import sys

LARGE = 256 * 1024
"""Bytes from which a block is the system's own, and goes back to it."""
_MMAP_THRESHOLD = -3
"""mallopt(3), M_MMAP_THRESHOLD"""


def bound() -> None:
    """Have large blocks come from the system and go back to it; for whoever owns the process, at its start."""
    _call("mallopt", _MMAP_THRESHOLD, LARGE)


def give_back() -> None:
    """Give what is free back to the system: milliseconds, in which others may have to wait for memory."""
    _call("malloc_trim", 0)


def _call(function: str, *values: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes  # 2 ms: by those who need it

    found = getattr(ctypes.CDLL(None), function, None)
    if found is not None:  # musl has neither
        found(*values)
