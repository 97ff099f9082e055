"""What a broker costs before it does anything: the time until it accepts, and the memory it then holds."""

import time
from collections.abc import Mapping
from pathlib import Path

from bench.broker import Setup, Starter
from bench.figure import Aim, Bound, Figure, Tally
from bench.process import BrokerError

START_UP_AIM = Aim(Bound.MOST, 1000.0, None)
"""Milliseconds, on a warm disk."""
RSS_AIM = Aim(Bound.MOST, 80.0, None)
"""MB (10^6 bytes), the whole process tree."""

SETTLING = 0.5
"""Seconds between ready and the look at its memory: what it defers until after the start counts too."""


def measure(directory: Path, starters: Mapping[str, Starter], starts: int = 5) -> list[Figure]:
    """Start each broker `starts` times afresh and again on the same data, after one start that warms the disk's cache.

    No core is chosen for it: this is what a user sees.
    """
    tally = Tally()
    for name, starter in starters.items():
        try:
            _start(directory / f"{name}-warm-up", starter)
            for turn in range(starts):
                place = directory / f"{name}-{turn}"
                for figure in ("first", "again"):
                    seconds, megabytes = _start(place, starter)
                    tally.add(figure, name, seconds * 1e3)
                    tally.add("rss", name, megabytes)
        except BrokerError as error:
            tally.fail(name, str(error))
    return [
        tally.figure("again", "start to ready", "ms", START_UP_AIM),
        tally.figure("first", "first start, empty data directory", "ms", START_UP_AIM),
        tally.figure("rss", "idle RSS", "MB", RSS_AIM),
    ]


def _start(directory: Path, starter: Starter) -> tuple[float, float]:
    begin = time.monotonic()
    with starter(directory, None, Setup()) as broker:
        seconds = time.monotonic() - begin
        time.sleep(SETTLING)
        return seconds, tree_rss(broker.plain.pid) / 1e6


def tree_rss(root: int, proc: Path = Path("/proc")) -> int:
    """Resident bytes of a process and all its descendants (proc(5): `/proc/PID/status`, VmRSS in kB)."""
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for status in proc.glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
        pid = int(status.parent.name)
        parents[pid] = int(fields["PPid"])
        resident[pid] = int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
    return sum(size for pid, size in resident.items() if _descends(pid, root, parents))


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid in parents and pid != root:
        pid = parents[pid]
    return pid == root
