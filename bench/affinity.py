"""A core for the broker and another for the generator: neither takes the other's time, and every broker gets the same.

Without this the scheduler moves two busy processes about and the figures of two equal runs differ by tens of per cent.
"""

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import msgspec


class Cores(msgspec.Struct, frozen=True):
    """Where the two parties run."""

    broker: tuple[int, ...]
    generator: int

    @property
    def shared(self) -> bool:
        """The broker and the generator take each other's time."""
        return self.generator in self.broker


def choose(allowed: Collection[int], siblings: Mapping[int, Collection[int]]) -> Cores:
    """The last two cores that are not two threads of one; the first ones tend to serve interrupts."""
    descending = sorted(allowed, reverse=True)
    broker = descending[0]
    others = descending[1:]
    apart = [core for core in others if core not in siblings.get(broker, ())]
    return Cores(broker=(broker,), generator=(apart or others or [broker])[0])


def parse_cpu_list(text: str) -> set[int]:
    """`0-1,4` as {0, 1, 4}: the kernel's list format (cpuset(7), "List format")."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return cores


def machine_cores() -> Cores:
    """`choose` for this process on this machine."""
    allowed = os.sched_getaffinity(0)
    siblings = {}
    for core in allowed:
        listing = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
        if listing.exists():
            siblings[core] = parse_cpu_list(listing.read_text())
    return choose(allowed, siblings)


def given_cores(text: str) -> Cores:
    """`BROKER,...,GENERATOR` as a person wrote it. Raises ValueError where those are not two or more cores at hand."""
    *broker, generator = map(int, text.split(","))
    if not broker or not {*broker, generator} <= os.sched_getaffinity(0):
        raise ValueError("not two or more of the cores at hand")
    return Cores(broker=tuple(broker), generator=generator)


@contextlib.contextmanager
def pinned(cores: Collection[int] | None) -> Iterator[None]:
    """Processes started inside inherit these cores; None leaves them all. It is taskset without needing taskset."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
