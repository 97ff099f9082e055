"""How fast a fleet is searched: `python -m bench.search`.

The guide's example queries and aggregations over a fleet index in this process, while some of the things change all the
time. What is asked: any of them under 50 ms at the 99th percentile, on two cores, with 100 000 things.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import click
import msgspec
from rich.table import Table

from bench.fleet import fleet, thing
from bench.render import console
from fogbank.registry.index.configuration import FieldType
from fogbank.registry.index.engine import FleetIndex, IndexName
from fogbank.search import parse
from fogbank.storage.committer import SWITCH_INTERVAL

LIMIT = 0.05
"""Seconds that a query may take at the 99th percentile."""
PAGE = 100
CHANGES = 50
"""Things that change at a time..."""
REST = 0.2
"""...and the seconds in between."""

SEARCHES = (
    "abc",
    "thingName:my0002500",
    "thingName:my*",
    "thingName:ab000000?",
    "thingName:*99",
    "thingTypeName:aa",
    "attributes.myAttribute:75",
    "attributes.myAttribute:[75 TO 80]",
    "attributes.myAttribute:{75 TO 80]",
    'attributes.serialNumber:["abcd" TO "abcf"]',
    "attributes.attr1:i*t",
    "attributes.attr1:abc AND attributes.attr2<5 NOT attributes.attr3>10",
    "shadow.hasDelta:true",
    "NOT attributes.model:legacy",
    "shadow.reported.stats.battery:{70 TO 100} (v2 OR v3) NOT attributes.model:legacy",
    "shadow.reported.myvalues:2",
    "shadow.reported.location:* NOT shadow.desired.stats.battery:*",
    "shadow.name.thing1shadow.hasDelta:true",
    "shadow.name.thing1shadow.desired.filament:*",
    "shadow.name.thing1shadow.reported.location:*",
    "connectivity.connected:true",
    "connectivity.connected:false",
    "connectivity.connected:true AND connectivity.timestamp : [1557651600000 TO 1557759600000]",
    "connectivity.connected:false AND connectivity.timestamp : [1557651600000 TO 1557867600000]",
    "connectivity.connected:true AND connectivity.timestamp > 1557759600000",
    "connectivity.connected:*",
    "connectivity.disconnectReason:*",
    "connectivity.disconnectReason:CLIENT_INITIATED_DISCONNECT",
    "thingName:(tv* AND -plasma)",
    'shadow.reported.location:"new york"',
    "shadow.reported.gps:geo_distance,47.6204,-122.3491,500km",
    "*",
)
"""Developer guide: example-queries, query-syntax, location-indexing-geoquery."""

BATTERY, TIMESTAMP = "shadow.reported.stats.battery", "connectivity.timestamp"
PERCENTS = (1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
THINGS = IndexName.THINGS
Act = Callable[[FleetIndex], Awaitable[object]]


def _aggregations(query: str) -> dict[str, Act]:
    asked = parse(query)
    return {
        f"GetStatistics {query}": lambda index: index.statistics(THINGS, asked, BATTERY, FieldType.NUMBER),
        f"GetCardinality {query}": lambda index: index.cardinality(THINGS, asked, "thingName", FieldType.STRING),
        f"GetPercentiles {query}": lambda index: index.percentiles(THINGS, asked, BATTERY, PERCENTS),
        f"GetPercentiles (times) {query}": lambda index: index.percentiles(THINGS, asked, TIMESTAMP, PERCENTS),
        f"GetBucketsAggregation {query}": lambda index: index.buckets(THINGS, asked, BATTERY, FieldType.NUMBER, 10),
    }


def _search(query: str) -> Act:
    return lambda index: index.things(parse(query), limit=PAGE)


ACTS: dict[str, Act] = {
    **{query: _search(query) for query in SEARCHES},
    **_aggregations("*"),
    **_aggregations("connectivity.connected:true NOT attributes.model:legacy"),
}


class Timing(msgspec.Struct, frozen=True):
    """What one query came to, in seconds."""

    name: str
    median: float
    high: float
    """The 99th percentile."""


def timing(name: str, seconds: list[float]) -> Timing:
    """Of at least one run."""
    ordered = sorted(seconds)
    return Timing(name, ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))])


async def fill(index: FleetIndex, things: int) -> float:
    """Put a fleet into the index; the seconds that took, without the making of the fleet."""
    batch, taken = [], 0.0
    for one in fleet(things):
        batch.append(one)
        if len(batch) == 1000 or one.stamp == str(things - 1):
            began = time.perf_counter()
            await index.put(batch)
            taken += time.perf_counter() - began
            batch = []
    return taken


async def change(index: FleetIndex, things: int) -> None:
    """Keep changing some of the fleet."""
    chance = random.Random(2)
    while True:
        await index.put([thing(chance.randrange(things), chance) for _ in range(CHANGES)])
        await asyncio.sleep(REST)


async def measure(index: FleetIndex, repeat: int) -> list[Timing]:
    """Each query so many times, in turns: what disturbs the machine for a moment disturbs all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ACTS}
    for _ in range(repeat):
        for name, act in ACTS.items():
            began = time.perf_counter()
            await act(index)
            seconds[name].append(time.perf_counter() - began)
    return [timing(name, each) for name, each in seconds.items()]


def show(timings: list[Timing]) -> None:
    """A table, the slowest last."""
    table = Table("query", "median, ms", "99th percentile, ms")
    for one in sorted(timings, key=lambda one: one.high):
        mark = "" if one.high < LIMIT else " *"
        table.add_row(one.name, f"{one.median * 1000:.1f}", f"{one.high * 1000:.1f}{mark}")
    console().print(table)


async def run(things: int, repeat: int, *, busy: bool) -> bool:
    """Whether all queries keep within the limit."""
    with tempfile.TemporaryDirectory(prefix="fogbank-search-") as directory:
        index = FleetIndex(Path(directory))
        await index.open()
        taken = await fill(index, things)
        click.echo(f"{things} things in {taken:.1f} s, {_size(Path(directory)) / 1e6:.0f} MB on disk")
        changing = asyncio.create_task(change(index, things)) if busy else None
        timings = await measure(index, repeat)
        if changing is not None:
            changing.cancel()
        await index.close()
    show(timings)
    return all(one.high < LIMIT for one in timings)


def _size(directory: Path) -> int:
    """Of its files, some of which the engine may just be merging away."""
    total = 0
    for path in directory.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--things", default=100_000, show_default=True, help="How many there are.")
@click.option("--repeat", default=100, show_default=True, help="Runs of each query.")
@click.option("--still", is_flag=True, help="Nothing changes meanwhile.")
def main(things: int, repeat: int, still: bool) -> None:
    """Search a large fleet. The exit status is 1 where a query takes longer than it may."""
    sys.setswitchinterval(SWITCH_INTERVAL)  # as the server has it
    sys.exit(0 if asyncio.run(run(things, repeat, busy=not still)) else 1)


if __name__ == "__main__":
    main(prog_name="python -m bench.search")
