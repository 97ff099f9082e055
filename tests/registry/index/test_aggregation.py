"""Aggregations against plain arithmetic, and the guide's examples of them (developer guide, index-aggregate)."""

import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fogbank.registry.index.aggregation import Buckets, Statistics
from fogbank.registry.index.configuration import FieldType, IndexName
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import ThingEntry
from fogbank.search import parse

T, NUMBER, STRING, BOOLEAN = IndexName.THINGS, FieldType.NUMBER, FieldType.STRING, FieldType.BOOLEAN
EVERYTHING = parse("*")
FIELD, TEXT, TRUTH = "shadow.reported.x", "shadow.reported.s", "shadow.reported.b"
CUSTOM = {FIELD: NUMBER, TEXT: STRING, TRUTH: BOOLEAN, "attributes.n": NUMBER}


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[FleetIndex]:
    made = FleetIndex(tmp_path)
    await made.open()
    yield made
    await made.close()


def reporting(i: int, **reported: Any) -> ThingEntry:
    shadow = {"state": {"reported": reported}, "metadata": {}, "version": 1}
    name, version = f"t{i:05}", 1 + i % 3
    return ThingEntry(name=name, id=str(i), stamp="", version=version, shadows={None: shadow}, custom_fields=CUSTOM)


async def fill(index: FleetIndex, values: Sequence[Any]) -> None:
    """A thing with each of these, and one without any; in several commits, so that there are several segments."""
    things = [reporting(i, x=value, s=value, b=value) for i, value in enumerate(values)]
    await index.put(things[::2])
    await index.put([*things[1::2], reporting(99_999, y=1)])


def rank(ordered: Sequence[float], percent: float) -> float:
    """The value at a percent, with a half step at either end, and between two values in between."""
    place = min(max(percent / 100 * len(ordered) - 0.5, 0), len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place % 1)


numbers = st.integers(-(2**53), 2**53 - 1) | st.floats(-1e9, 1e9) | st.integers(-3, 3) | st.sampled_from((0.5, -0.0))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(numbers | st.booleans() | st.sampled_from(("a", "B b", "75", "true")), max_size=30))
def test_against_plain_arithmetic(values: list[Any]) -> None:
    of_numbers = [float(one) for one in values if isinstance(one, int | float) and not isinstance(one, bool)]
    of_strings = [one for one in values if isinstance(one, str)]
    of_booleans = [one in (True, "true") for one in values if isinstance(one, bool) or one == "true"]

    async def go() -> None:
        with tempfile.TemporaryDirectory() as directory:
            index = FleetIndex(Path(directory))
            await index.open()
            await fill(index, values)
            _check(await index.statistics(T, EVERYTHING, FIELD, NUMBER), of_numbers)
            _check(await index.statistics(T, EVERYTHING, TRUTH, BOOLEAN), [float(one) for one in of_booleans])
            assert await index.statistics(T, EVERYTHING, TEXT, STRING) == Statistics(count=len(of_strings))
            for field, some in ((FIELD, of_numbers), (TEXT, of_strings), (TRUTH, of_booleans)):
                assert await index.cardinality(T, EVERYTHING, field, CUSTOM[field]) == len(set(some))
            found = await index.buckets(T, EVERYTHING, TEXT, STRING, 3)
            assert found.total == len(values) + 1
            ranked = sorted(Counter(of_strings).items(), key=lambda one: (-one[1], one[0]))
            assert list(found.buckets) == ranked[:3]
            truths = await index.buckets(T, EVERYTHING, TRUTH, BOOLEAN, 3)
            assert dict(truths.buckets) == Counter("true" if one else "false" for one in of_booleans)
            of_number = await index.buckets(T, EVERYTHING, FIELD, NUMBER, 100)
            assert {float(key): count for key, count in of_number.buckets} == Counter(of_numbers)
            percents = (0.0, 1.0, 5.0, 33.3, 50.0, 99.0, 100.0)
            answer = await index.percentiles(T, EVERYTHING, FIELD, percents)
            assert answer == ({p: pytest.approx(rank(sorted(of_numbers), p)) for p in percents} if of_numbers else {})
            await index.close()

    asyncio.run(go())


def _check(found: Statistics, values: Sequence[float]) -> None:
    assert found.count == len(values)
    if not values:
        assert found == Statistics(count=0)
        return
    average = math.fsum(values) / len(values)
    squares = math.fsum(one * one for one in values)
    variance = math.fsum((one - average) ** 2 for one in values) / len(values)
    near = 1e-6 + squares * 1e-12
    assert found.average == pytest.approx(average, rel=1e-6, abs=near)
    assert found.sum == pytest.approx(math.fsum(values), rel=1e-6, abs=near)
    assert (found.minimum, found.maximum) == (min(values), max(values))
    assert found.sum_of_squares == pytest.approx(squares, rel=1e-9)
    assert found.variance == pytest.approx(variance, rel=1e-6, abs=near)
    assert found.std_deviation is not None
    assert found.variance == pytest.approx(found.std_deviation**2, rel=1e-6, abs=near)


async def test_statistics_as_in_the_guide(index: FleetIndex) -> None:
    """index-aggregate, "GetStatistics with numerical values": its three values can be worked out from its answer."""
    things = [reporting(i) for i in range(3)]
    values = ("-125", "150", "75")
    await index.put(
        [
            ThingEntry(name=one.name, id="", stamp="", attributes={"n": value}, custom_fields=CUSTOM)
            for one, value in zip(things, values, strict=True)
        ]
    )
    found = await index.statistics(T, EVERYTHING, "attributes.n", NUMBER)
    assert msgspec.structs.astuple(found) == pytest.approx(
        (3, 33.333333333333336, 100.0, -125.0, 150.0, 43750.0, 13472.22222222222, 116.06990230986766)
    )


async def test_percentiles_as_in_the_guide(index: FleetIndex) -> None:
    """index-aggregate, "GetPercentiles": thirteen values of 1, 2 and 3 give that answer."""
    await fill(index, [1] * 4 + [2] * 5 + [3] * 4)
    percents = (80, 70, 90, 50, 60, 10, 40, 20, 30, 99)
    found = await index.percentiles(T, EVERYTHING, FIELD, percents)
    answer = (3.0, 2.5999999999999996, 3.0, 2.0, 2.0, 1.0, 2.0, 1.0, 1.4, 3.0)
    assert found == pytest.approx(dict(zip(percents, answer, strict=True)))


async def test_buckets_as_in_the_guide(index: FleetIndex) -> None:
    await fill(index, [100] * 12 + [90] * 5 + [75] * 3)
    found = await index.buckets(T, parse("shadow.reported.x:*"), FIELD, NUMBER, 5)
    assert found == Buckets(20, (("100", 12), ("90", 5), ("75", 3)))


async def test_only_what_the_query_finds_counts(index: FleetIndex) -> None:
    await fill(index, range(10))
    some = parse("shadow.reported.x<3 OR shadow.reported.y:1")
    assert (await index.statistics(T, some, FIELD, NUMBER)).sum == 3
    assert await index.cardinality(T, some, FIELD, NUMBER) == 3
    assert await index.percentiles(T, some, FIELD, [100]) == {100: 2}
    assert (await index.buckets(T, some, FIELD, NUMBER, 9)).total == 4
    none = parse("thingName:Non-existent*")
    assert await index.statistics(T, none, FIELD, NUMBER) == Statistics(count=0)
    assert await index.cardinality(T, none, FIELD, NUMBER) == 0
    assert await index.percentiles(T, none, FIELD, [50]) == {}
    assert await index.buckets(T, none, FIELD, NUMBER, 9) == Buckets(0, ())


async def test_managed_fields(index: FleetIndex) -> None:
    """managing-fleet-index, "Managed fields": by either name."""
    things = [reporting(i, x=i) for i in range(6)]
    await index.put(
        [
            ThingEntry(
                name=one.name,
                id=one.id,
                stamp="",
                version=one.version,
                type_name="T1",
                shadows=one.shadows,
                group_names=("g", "h"),
            )
            for one in things
        ]
    )
    assert (await index.statistics(T, EVERYTHING, "registry.version", NUMBER)).sum == 12
    assert (await index.statistics(T, EVERYTHING, "shadow.version", NUMBER)).sum == 6
    assert (await index.statistics(T, EVERYTHING, "shadow.hasDelta", BOOLEAN)).sum == 0
    for name in ("registry.thingTypeName", "thingTypeName"):
        assert (await index.buckets(T, EVERYTHING, name, STRING, 9)).buckets == (("T1", 6),)
    assert (await index.buckets(T, EVERYTHING, "registry.thingGroupNames", STRING, 9)).buckets == (("g", 6), ("h", 6))
    assert await index.cardinality(T, EVERYTHING, "thingName", STRING) == 6


async def test_percentiles_of_many_different_values(index: FleetIndex) -> None:
    """Times, with an outlier: still to the millisecond or nearly."""
    values = [1_557_651_600_000 + i * 7919 % 216_000_000 for i in range(12_000)]
    await index.put([reporting(i, x=value) for i, value in enumerate(values)])
    percents = range(101)
    found = await index.percentiles(T, EVERYTHING, FIELD, percents)
    expected: Mapping[float, float] = {p: rank(sorted(values), p) for p in percents}
    for percent in percents:
        assert abs(found[percent] - expected[percent]) < 8000, (
            percent
        )  # less than from one value to the next and a step
    await index.put([reporting(0, x=0)])
    again = await index.percentiles(T, EVERYTHING, FIELD, [50, 0, 100])  # 0 is an outlier
    assert abs(again[50] - expected[50]) < 120_000
    assert (again[0], again[100]) == (0, max(values))


async def test_a_sum_beyond_what_a_double_can_be_leaves_the_count(index: FleetIndex) -> None:
    """index-aggregate: "if the field values exceed the maximum double value, the statistics values are empty"."""
    await fill(index, [1e308, 1e308])
    assert await index.statistics(T, EVERYTHING, FIELD, NUMBER) == Statistics(count=2)


async def test_whole_numbers_are_written_as_such(index: FleetIndex) -> None:
    await fill(index, [1.0, 2.5, -3, 1e20])
    assert dict((await index.buckets(T, EVERYTHING, FIELD, NUMBER, 9)).buckets).keys() == {"1", "2.5", "-3", "1e+20"}


async def test_only_managed_and_custom_fields_can_be_aggregated(index: FleetIndex) -> None:
    """managing-fleet-index: what others come to would be paid for with every change."""
    await index.put([reporting(1, x=1, other=1)])
    assert await index.statistics(T, EVERYTHING, "shadow.reported.other", NUMBER) == Statistics(count=0)
    assert await index.statistics(T, EVERYTHING, FIELD, STRING) == Statistics(count=0)
    assert (await index.statistics(T, EVERYTHING, "shadow.version", NUMBER)).count == 1
