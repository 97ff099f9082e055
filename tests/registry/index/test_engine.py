"""The engine against the plain evaluator, for any entries and any queries; pages, replacement, damage."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.registry.index.entries import groups, things
from tests.search.strategies import queries

from fogbank.ports import StorageError
from fogbank.registry.index.configuration import IndexName
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.entry import GroupEntry, ThingEntry
from fogbank.search import Query, matches, parse

T = IndexName.THINGS


@pytest.fixture
async def index(tmp_path: Path) -> AsyncIterator[FleetIndex]:
    made = FleetIndex(tmp_path / "index")
    assert await made.open() is False
    yield made
    await made.close()


def thing(name: str, **members: object) -> ThingEntry:
    return ThingEntry(name=name, id=f"id-{name}", stamp=f"stamp-{name}", **members)  # type: ignore[arg-type]


async def found(index: FleetIndex, query: str) -> list[str]:
    return [one.name for one in (await index.things(parse(query), limit=500)).items]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(things, max_size=12), st.lists(queries, min_size=1, max_size=40))
def test_things_are_found_as_the_plain_evaluator_finds_them(some: list[ThingEntry], asked: list[Query]) -> None:
    last = {one.name: one for one in some}

    async def go() -> None:
        with tempfile.TemporaryDirectory() as directory:
            index = FleetIndex(Path(directory))
            await index.open()
            half = len(some) // 2
            await index.put(some[:half])  # several commits, so that there are several segments, and replacements
            await index.put(some[half:])
            for query in asked:
                expected = sorted(name for name, one in last.items() if matches(query, one.fields()))
                page = await index.things(query, limit=100)
                assert [one.name for one in page.items] == expected, query
                assert all(one == last[one.name] for one in page.items)
            await index.close()

    asyncio.run(go())


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(groups, max_size=12), st.lists(queries, min_size=1, max_size=20))
def test_groups_are_found_as_the_plain_evaluator_finds_them(some: list[GroupEntry], asked: list[Query]) -> None:
    last = {one.name: one for one in some}

    async def go() -> None:
        with tempfile.TemporaryDirectory() as directory:
            index = FleetIndex(Path(directory))
            await index.open()
            await index.put(some)
            for query in asked:
                expected = sorted(name for name, one in last.items() if matches(query, one.fields()))
                assert [one.name for one in (await index.groups(query, limit=100)).items] == expected, query
            await index.close()

    asyncio.run(go())


async def test_pages_go_on_where_the_last_one_ended(index: FleetIndex) -> None:
    names = sorted(f"thing{i}" for i in range(25))
    await index.put([thing(name) for name in names])
    got: list[str] = []
    after: str | None = ""
    sizes: list[int] = []
    while after is not None:
        page = await index.names(T, parse("thingName:thing*"), limit=10, after=after)
        got, after, sizes = [*got, *page.items], page.next, [*sizes, len(page.items)]
        await index.put([thing("aaa"), thing(got[-1] + "0")])  # what comes between does not repeat or hide others
        await index.remove(T, ["aaa", got[-1] + "0"])
    assert got == names
    assert sizes == [10, 10, 5]


async def walk(index: FleetIndex, query: str, limit: int) -> list[str]:
    """All that is found, by pages, each of which is full but the last."""
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await index.names(T, parse(query), limit=limit, after=after)
        assert list(page.items) == sorted(page.items)
        assert page.next is None or len(page.items) == limit
        names, after = [*names, *page.items], page.next
    return names


async def test_pages_of_a_large_index(index: FleetIndex) -> None:
    """Large enough for landmarks, which then grow old: many come where few were."""
    names = [f"t{i * 7919 % 10_000:05}" for i in range(9000)]
    await index.put([thing(name, attributes={"n": name[-1]}) for name in names])
    for limit in (50, 1000, 10_000):
        assert await walk(index, "*", limit) == sorted(names)
        few = await walk(index, "attributes.n:3", limit)
        assert few == sorted(name for name in names if name.endswith("3"))
    close = [f"t05000-{i}" for i in range(1000)]
    await index.put([thing(name) for name in close])
    await index.remove(T, names[:300])
    left = sorted({*names[300:], *close})
    assert await walk(index, "*", 500) == left
    more = [f"zz{i * 7919 % 10_000:05}" for i in range(2100)]
    await index.put([thing(name) for name in more])
    for limit in (10, 2000):
        assert (await walk(index, "thingName:zz*", limit)) == sorted(more)
    assert await walk(index, "*", 499) == sorted({*left, *more})


async def test_a_full_last_page_says_that_it_is_the_last(index: FleetIndex) -> None:
    await index.put([thing("a"), thing("b")])
    assert (await index.things(parse("*"), limit=2)).next is None
    assert (await index.things(parse("*"), limit=1)).next == "a"


async def test_names_sort_by_code_points(index: FleetIndex) -> None:
    names = ["a", "B", "a-b", "a:b", "a_b", "0"]
    await index.put([thing(name) for name in names])
    assert await found(index, "*") == sorted(names)


async def test_what_was_put_replaces_what_was_there(index: FleetIndex) -> None:
    await index.put([thing("a", attributes={"x": "1"}), thing("a", attributes={"x": "2"})])
    await index.put([thing("a", attributes={"x": "3"})])
    assert await found(index, "attributes.x<3") == []
    assert await found(index, "attributes.x:3") == ["a"]


async def test_things_and_groups_do_not_mix(index: FleetIndex) -> None:
    await index.put([thing("a")])
    await index.put([GroupEntry(name="g", id="1", stamp="")])
    assert await found(index, "*") == ["a"]
    assert [one.name for one in (await index.groups(parse("*"), limit=9)).items] == ["g"]
    await index.clear(T)
    assert await found(index, "*") == []
    assert [one.name for one in (await index.groups(parse("*"), limit=9)).items] == ["g"]


async def test_what_is_removed_is_gone_and_what_is_not_there_is_no_error(index: FleetIndex) -> None:
    await index.put([thing("a"), thing("b")])
    await index.remove(T, ["a", "never"])
    await index.remove(T, [])
    assert await found(index, "*") == ["b"]


async def test_stamps_in_the_order_of_names(index: FleetIndex) -> None:
    await index.put([thing(name) for name in "dbca"])
    assert await index.stamps(T, limit=3) == [("a", "stamp-a"), ("b", "stamp-b"), ("c", "stamp-c")]
    assert await index.stamps(T, "c", 3) == [("d", "stamp-d")]
    assert await index.stamps(IndexName.THING_GROUPS) == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"new york"', ["a"]),
        ('shadow.reported.place:"york city"', ["a"]),
        ('shadow.reported.place:"new city"', []),
        ('shadow.reported.other:"new york"', []),
        ('shadow.reported.list:"one two"', ["a"]),
        ('shadow.reported.list:"two three"', []),
        ('"two three"', []),
        ('"in 5"', []),
        ('shadow.reported.place:"in new york city"', ["a"]),
        ('description:"new york"', []),
    ],
)
async def test_phrases(index: FleetIndex, query: str, expected: list[str]) -> None:
    state = {"reported": {"place": "in New  York City", "list": ["one two", "three four"], "number": 5}}
    await index.put([thing("a", shadows={None: {"state": state, "metadata": {}, "version": 1}}), thing("b")])
    assert await found(index, query) == expected


async def test_words_and_bounds_of_any_length(index: FleetIndex) -> None:
    """Beyond what the engine's automata take."""
    long = "v" * 700
    await index.put([thing("a", attributes={"x": long}), thing("b", attributes={"x": long[:-1] + "w"})])
    assert await found(index, f"attributes.x:{long}") == ["a"]
    assert await found(index, f"attributes.x:{long[:650]}*") == ["a", "b"]
    assert await found(index, f"attributes.x:v*{long[:-30]}v") == ["a"]
    assert await found(index, f'attributes.x>"{long}"') == ["b"]


async def test_it_is_there_again_after_it_was_closed(tmp_path: Path) -> None:
    index = FleetIndex(tmp_path)
    await index.open()
    await index.put([thing("a", shadows={None: {"state": {"reported": {"x": 1}}, "version": 3}})])
    await index.close()
    await index.close()
    assert await index.open() is True
    assert await index.open() is True
    page = await index.things(parse("shadow.reported.x:1"), limit=1)
    assert page.items[0].shadows[None]["version"] == 3
    await index.put([thing("b")])
    assert await found(index, "*") == ["a", "b"]
    await index.close()


async def test_an_index_of_another_format_is_emptied(tmp_path: Path) -> None:
    index = FleetIndex(tmp_path)
    await index.open()
    await index.put([thing("a")])
    await index.close()
    (tmp_path / "things" / "format").write_text("0")
    assert await index.open() is False
    assert await found(index, "*") == []
    await index.close()


async def test_a_put_that_fails_changes_nothing_and_the_next_one_works(index: FleetIndex) -> None:
    await index.put([thing("a")])
    with pytest.raises(StorageError, match="the fleet index failed"):
        await index.put([thing("a", attributes={"x": "1"}), thing("b"), thing("c", attributes={"x": "\ud800"})])
    assert await found(index, "*") == ["a"]
    assert await found(index, "attributes.x:*") == []
    await index.put([thing("d")])
    assert await found(index, "*") == ["a", "d"]


async def test_an_index_can_be_made_anew_at_any_time(index: FleetIndex) -> None:
    for round_ in range(3):
        await index.put([thing(f"t{round_}{i}") for i in range(300)])
        await index.clear(T)
        assert await found(index, "*") == []
    await index.put([thing("b")])
    assert await found(index, "*") == ["b"]


async def test_what_is_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not open"):
        await FleetIndex(tmp_path).things(parse("*"), limit=1)


async def test_searches_go_on_while_things_are_put_and_see_whole_batches(index: FleetIndex) -> None:
    async def keep_putting() -> None:
        for round_ in range(10):
            await index.put([thing(f"t{i}", attributes={"round": str(round_)}) for i in range(50)])

    putting = asyncio.create_task(keep_putting())
    seen = set()
    while not putting.done():
        page = await index.things(parse("*"), limit=100)
        rounds = {one.attributes["round"] for one in page.items}
        assert len(rounds) <= 1
        assert len(page.items) in (0, 50)
        seen |= rounds
    await putting
    assert len(seen) > 1
