"""What functions print: captured line by line, kept for a while, and passed on to the platform's log.

Format of the platform's own lines: developer guide, "Python function logging".
"""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable

import msgspec

from fogbank.clock import Clock

TAIL_BYTES = 4096
"""What `LogType: Tail` returns."""
RING_BYTES = 256 * 1024
"""What is kept of one function's lines."""
MAX_LINE = 64 * 1024
"""A longer line is broken."""

_READ = 64 * 1024
_FULL_PIPE = 1 << 20
"""The most a pipe holds."""

log = logging.getLogger(__name__)


class LogLine(msgspec.Struct, frozen=True):
    """One line that a function, or the platform about it, wrote."""

    time: float
    """Seconds since the epoch, when it was read."""
    text: str


class FunctionLog:
    """The last lines of one function."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._lines: deque[LogLine] = deque()
        self._size = 0

    def write(self, text: str) -> None:
        """Keep a line, and forget the oldest ones beyond the bound."""
        self._lines.append(LogLine(self._clock.time(), text))
        self._size += len(text) + 1
        while self._size > RING_BYTES:
            self._size -= len(self._lines.popleft().text) + 1
        log.info("%s: %s", self._name, text)

    def lines(self, limit: int | None = None) -> list[LogLine]:
        """The lines kept, oldest first; of these the last `limit`."""
        lines = list(self._lines)
        return lines if limit is None else lines[max(0, len(lines) - limit) :]


class Logs:
    """The logs of all functions, by name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, FunctionLog] = {}

    def of(self, name: str) -> FunctionLog:
        if name not in self._of:
            self._of[name] = FunctionLog(name, self._clock)
        return self._of[name]

    def forget(self, name: str) -> None:
        self._of.pop(name, None)


class Tail:
    """The last 4 KB of one invocation's lines."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._size = 0

    def write(self, text: str) -> None:
        line = text.encode("utf-8", "replace") + b"\n"
        self._lines.append(line)
        self._size += len(line)
        while self._size - len(self._lines[0]) >= TAIL_BYTES:
            self._size -= len(self._lines.popleft())

    def take(self) -> bytes:
        """What was written, and begin anew."""
        taken = b"".join(self._lines)[-TAIL_BYTES:]
        self._lines.clear()
        self._size = 0
        return taken


class LogPipe:
    """One pipe for a process's stdout and stderr, in the order it wrote them."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = b""
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._read)

    def started(self) -> None:
        """The process holds the writing end now; ours would keep the pipe from ending."""
        os.close(self.writer)
        self.writer = -1

    def drain(self) -> None:
        """Read what is there. Called before an END line too: what the handler printed is in the pipe by then."""
        for _ in range(_FULL_PIPE // _READ):
            if not self._read():
                return

    def close(self) -> None:
        """Read what is there and let go, though a grandchild may still hold the writing end."""
        self.drain()
        self._end()
        if self.writer >= 0:
            self.started()

    def _read(self) -> bool:
        """Read once, so that a flood of lines leaves others their turn; whether there may be more."""
        if self._reader < 0:
            return False
        try:
            data = os.read(self._reader, _READ)
        except BlockingIOError:
            return False
        if not data:
            self._end()
            return False
        self._split(data)
        return True

    def _split(self, data: bytes) -> None:
        # The runtime client parts the lines of a stack trace by carriage returns.
        lines = (self._rest + data).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self._emit(line)
        while len(self._rest) > MAX_LINE:
            self._emit(self._rest[:MAX_LINE])
            self._rest = self._rest[MAX_LINE:]

    def _emit(self, line: bytes) -> None:
        self._write(line[:MAX_LINE].decode("utf-8", "replace"))

    def _end(self) -> None:
        if self._reader < 0:
            return
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        self._reader = -1
        if self._rest:
            self._emit(self._rest)
            self._rest = b""


def report(
    request_id: str, *, duration_ms: float, init_ms: float | None, memory_size: int, memory_used: int, status: str
) -> str:
    """The REPORT line. Sizes in MB; `status` is empty after success, else the line's own text for it."""
    billed = -(-(duration_ms + (init_ms or 0)) // 1)
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\tBilled Duration: {billed:.0f} ms\t"
        f"Memory Size: {memory_size} MB\tMax Memory Used: {memory_used} MB\t"
    )
    if init_ms is not None:
        line += f"Init Duration: {init_ms:.2f} ms\t"
    return line + status
