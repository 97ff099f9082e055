"""What Fogbank costs before it does anything: the time until every listener accepts, and the memory it then holds."""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.brokers import fogbank

START_UP_AIM = 1.0
"""Seconds, on a warm disk."""
RSS_AIM = 80.0
"""MB (10^6 bytes), the whole process tree."""

SETTLING = 0.5
"""Seconds between ready and the look at its memory: what it defers until after the start counts too."""


class Footprint(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over several starts."""

    first_start_seconds: float
    """With an empty data directory: it makes its authority and keys."""
    start_seconds: float
    """With the data directory of an earlier start."""
    idle_rss_megabytes: float


def measure(directory: Path, command: Sequence[str], starts: int = 5) -> Footprint:
    """Start Fogbank `starts` times afresh and again on the same data, after one start that warms the disk's cache.

    No core is chosen for it: this is what a user sees.
    """
    _start(directory / "warm-up", command)
    first, again = [], []
    for turn in range(starts):
        place = directory / f"start-{turn}"
        first.append(_start(place, command))
        again.append(_start(place, command))
    return Footprint(
        first_start_seconds=statistics.median(seconds for seconds, _ in first),
        start_seconds=statistics.median(seconds for seconds, _ in again),
        idle_rss_megabytes=statistics.median(rss for _, rss in first + again),
    )


def _start(directory: Path, command: Sequence[str]) -> tuple[float, float]:
    begin = time.monotonic()
    with fogbank(directory, command, core=None) as broker:
        seconds = time.monotonic() - begin
        time.sleep(SETTLING)
        return seconds, tree_rss(broker.pid) / 1e6


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
