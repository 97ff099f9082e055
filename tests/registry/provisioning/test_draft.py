"""A draft against the naive model of it: documents of its own to which everything is written at once."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.ports import Delete, Expect, Put, StaleVersion
from fogbank.registry.changes import Change, Changes
from fogbank.registry.provisioning.draft import DraftChanges, DraftDocuments, Outdated
from fogbank.storage.memory import MemoryDocuments
from fogbank.tasks import Tasks

KEYS = st.sampled_from(["a", "ab", "b", "c"])
EXPECTED = st.none() | st.integers(0, 3)
PUTS = st.builds(
    lambda key, body, expect, indexed: Put("kind", key, body, expect, {"index": indexed}),
    KEYS,
    st.binary(max_size=2),
    EXPECTED,
    st.lists(st.sampled_from(["x", "y"]), max_size=2),
)
WRITES = PUTS | st.builds(Delete, st.just("kind"), KEYS, EXPECTED)
BATCHES = st.lists(WRITES | st.builds(Expect, st.just("kind"), KEYS, st.integers(0, 3)), max_size=4)


async def attempt(documents: Any, batch: list[Put | Delete | Expect]) -> bool:
    """Whether it could be written."""
    try:
        await documents.commit(*batch)
    except StaleVersion:
        return False
    return True


async def seen(documents: Any, limit: int | None = None) -> list[list[tuple[str, bytes]]]:
    """All that can be read."""
    scans = [await documents.scan("kind", prefix=p, after=a, limit=limit) for p in ("", "a") for a in ("", "a")]
    finds = [await documents.find("kind", "index", v, after=a, limit=limit) for v in "xy" for a in ("", "a")]
    gets = [one for key in ("a", "ab", "b", "c") if (one := await documents.get("kind", key))]
    return [[(one.key, one.body) for one in found] for found in (*scans, *finds, gets)]


@given(st.lists(BATCHES, max_size=3), st.lists(BATCHES, max_size=6), st.none() | st.integers(1, 3), st.booleans())
def test_a_draft_reads_as_if_it_were_written_and_is_written_as_it_reads(
    before: list[list[Any]], batches: list[list[Any]], limit: int | None, reading: bool
) -> None:
    """What cannot be written is refused at once where the draft has read it, and else when the draft is written."""

    async def run() -> None:
        base, model = MemoryDocuments(), MemoryDocuments()
        for batch in before:
            assert await attempt(base, batch) == await attempt(model, batch)
        untouched = await seen(base)
        draft = DraftDocuments(base)
        if reading:
            assert await seen(draft, limit) == await seen(model, limit)
        for batch in batches:
            possible, drafted = await attempt(model, batch), await attempt(draft, batch)
            if drafted and not possible:
                assert not reading
                assert not await attempt(base, draft.writes)
                return
            assert drafted is possible
            assert await seen(draft, limit) == await seen(model, limit)
        assert await seen(base) == untouched
        assert await attempt(base, draft.writes)
        assert await seen(base) == await seen(model)

    asyncio.run(run())


async def test_a_draft_rests_on_the_versions_it_has_read() -> None:
    base = MemoryDocuments()
    await base.commit(Put("kind", "there", b"1"), Put("kind", "leant on", b"1"))
    draft = DraftDocuments(base)
    await draft.commit(Put("kind", "new", b"1", 0), Put("kind", "new", b"2", 1))
    await draft.commit(Put("kind", "there", b"2", 1), Put("kind", "there", b"3", 2), Expect("kind", "leant on", 1))
    await draft.commit(Put("kind", "gone again", b"1", 0), Delete("kind", "gone again", 1), Put("kind", "any", b"1"))
    assert {(type(one), one.key, getattr(one, "expect", None)) for one in draft.writes} == {
        (Put, "new", 0),
        (Put, "there", 1),
        (Expect, "leant on", None),
        (Delete, "gone again", 0),
        (Put, "any", None),
    }
    await base.commit(Put("kind", "leant on", b"2"))
    with pytest.raises(StaleVersion):
        await base.commit(*draft.writes)


async def test_a_draft_shows_one_state_of_each_and_is_outdated_with_it() -> None:
    base = MemoryDocuments()
    draft = DraftDocuments(base)
    drafted = DraftChanges(draft, Tasks("test"))
    assert await draft.get("kind", "a") is None
    await base.commit(Put("kind", "a", b"1"))
    assert await draft.get("kind", "a") is None
    with pytest.raises(Outdated) as told:
        await drafted.commit(Put("kind", "a", b"2", 1), change=Change())
    assert (told.value.stale.expected, told.value.stale.actual) == (1, 0)


async def test_what_changes_is_told_once_it_is_written_and_all_at_once() -> None:
    base, tasks = MemoryDocuments(), Tasks("test")
    changes = Changes(base, tasks)
    told: list[Any] = []
    changes.invalidate(told.append)

    async def listen(identities: frozenset[str]) -> None:
        told.append(identities)

    async def touched() -> frozenset[str]:
        return frozenset("t")

    changes.watch(listen)
    drafted = DraftChanges(DraftDocuments(base), tasks)
    one = Change(things=frozenset("a"), identities=frozenset("i"), touched=touched)
    await drafted.commit(Put("kind", "a", b""), change=one)
    await drafted.commit(Put("kind", "b", b""), change=Change(things=frozenset("b"), policies=frozenset("p")))
    assert told == []
    await drafted.write(changes, [Put("kind", "along", b"")])
    [change, identities] = told
    assert (change.things, change.policies, identities) == (frozenset("ab"), frozenset("p"), frozenset("it"))
    assert [record.key for record in await base.scan("kind")] == ["a", "along", "b"]
    told.clear()
    await DraftChanges(DraftDocuments(base), tasks).write(changes, ())
    assert told == []
    await tasks.drain()
