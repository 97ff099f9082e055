"""What every storage engine does, said once and asked of each."""

import asyncio
import hashlib

import pytest

from fogbank.ports import Backlog, Delete, Discard, DiscardAll, Expect, Keep, Put, Record, StaleVersion
from fogbank.storage import Store


def put(key: str, body: bytes = b"{}", *, kind: str = "thing", expect: int | None = None, **indexes: list[str]) -> Put:
    return Put(kind, key, body, expect, indexes)


async def keys(store: Store, **where: str | int) -> list[str]:
    return [record.key for record in await store.documents.scan("thing", **where)]  # type: ignore[arg-type]


async def test_put_and_get(store: Store) -> None:
    assert await store.documents.get("thing", "lamp") is None
    assert await store.documents.commit(put("lamp", b'{"a":1}')) == [1]
    assert await store.documents.get("thing", "lamp") == Record("thing", "lamp", 1, b'{"a":1}')
    assert await store.documents.get("policy", "lamp") is None


async def test_versions_grow_by_one_with_every_put_and_start_again_after_a_delete(store: Store) -> None:
    assert await store.documents.commit(put("lamp"), put("lamp", b"2"), put("other")) == [1, 2, 1]
    assert await store.documents.commit(put("lamp"), Delete("thing", "lamp"), put("lamp", b"3")) == [3, 0, 1]
    assert await store.documents.get("thing", "lamp") == Record("thing", "lamp", 1, b"3")


async def test_a_commit_of_nothing(store: Store) -> None:
    assert await store.documents.commit() == []


@pytest.mark.parametrize(("expect", "actual"), [(0, 2), (1, 2), (3, 2)])
async def test_a_stale_version_says_both(store: Store, expect: int, actual: int) -> None:
    await store.documents.commit(put("lamp"), put("lamp"))
    with pytest.raises(StaleVersion, match=f"at version {actual}, expected {expect}") as caught:
        await store.documents.commit(put("lamp", expect=expect))
    assert (caught.value.kind, caught.value.key) == ("thing", "lamp")
    assert (caught.value.expected, caught.value.actual) == (expect, actual)


async def test_a_stale_version_undoes_its_whole_batch(store: Store) -> None:
    await store.documents.commit(put("lamp", b"old", room=["hall"]), put("gone"))
    with pytest.raises(StaleVersion):
        await store.documents.commit(
            put("lamp", b"new", room=["attic"]), put("fresh"), Delete("thing", "gone"), put("missing", expect=1)
        )
    assert await store.documents.get("thing", "lamp") == Record("thing", "lamp", 1, b"old")
    assert await keys(store) == ["gone", "lamp"]
    assert [record.key for record in await store.documents.find("thing", "room", "hall")] == ["lamp"]
    assert await store.documents.find("thing", "room", "attic") == []


async def test_expectations_see_the_changes_before_them_in_the_same_batch(store: Store) -> None:
    assert await store.documents.commit(
        put("lamp", expect=0), put("lamp", expect=1), Delete("thing", "lamp", expect=2), put("lamp", expect=0)
    ) == [1, 2, 0, 1]


async def test_delete(store: Store) -> None:
    await store.documents.commit(put("lamp", room=["hall"]))
    assert await store.documents.commit(Delete("thing", "lamp", expect=1), Delete("thing", "never")) == [0, 0]
    assert await store.documents.get("thing", "lamp") is None
    assert await store.documents.find("thing", "room", "hall") == []
    with pytest.raises(StaleVersion, match="at version 0, expected 1"):
        await store.documents.commit(Delete("thing", "lamp", expect=1))


async def test_an_expectation_writes_nothing_and_tells_the_version(store: Store) -> None:
    await store.documents.commit(put("lamp", room=["hall"]), put("lamp", b"2", room=["attic"]))
    assert await store.documents.commit(Expect("thing", "lamp", 2), put("other"), Expect("thing", "never", 0)) == [
        2,
        1,
        0,
    ]
    assert await store.documents.get("thing", "lamp") == Record("thing", "lamp", 2, b"2")
    assert [record.key for record in await store.documents.find("thing", "room", "attic")] == ["lamp"]
    assert await store.documents.get("thing", "never") is None


@pytest.mark.parametrize(("key", "expected", "actual"), [("lamp", 0, 1), ("lamp", 2, 1), ("never", 1, 0)])
async def test_an_expectation_that_does_not_hold_fails_its_batch(
    store: Store, key: str, expected: int, actual: int
) -> None:
    await store.documents.commit(put("lamp"))
    with pytest.raises(StaleVersion, match=f"at version {actual}, expected {expected}"):
        await store.documents.commit(put("other"), Expect("thing", key, expected))
    with pytest.raises(StaleVersion):
        await store.backlogs.commit(Keep("c", 1, b""), DiscardAll("d"), Expect("thing", key, expected))
    assert await keys(store) == ["lamp"]
    assert await store.backlogs.owners() == {}


async def test_an_expectation_sees_the_changes_before_it_in_the_same_batch(store: Store) -> None:
    await store.documents.commit(put("lamp"))
    changes = (put("lamp"), Expect("thing", "lamp", 2), Delete("thing", "lamp"), Expect("thing", "lamp", 0))
    assert await store.documents.commit(*changes) == [2, 2, 0, 0]


async def test_concurrent_batches_may_rest_on_the_same_document(store: Store) -> None:
    await store.documents.commit(put("policy"))
    attach = [store.documents.commit(Expect("thing", "policy", 1), put(f"target-{n}", expect=0)) for n in range(20)]
    delete = store.documents.commit(Delete("thing", "policy", expect=1))
    late = store.documents.commit(Expect("thing", "policy", 1), put("late"))
    outcomes = await asyncio.gather(*attach, delete, late, return_exceptions=True)
    assert outcomes[:21] == [[1, 1]] * 20 + [[0]]
    assert isinstance(outcomes[21], StaleVersion)
    assert len(await keys(store)) == 20


async def test_concurrent_commits_are_applied_in_order_and_only_the_stale_ones_fail(store: Store) -> None:
    outcomes = await asyncio.gather(
        *(store.documents.commit(put("lamp", str(n).encode(), expect=0), put(f"by-{n}")) for n in range(50)),
        return_exceptions=True,
    )
    assert outcomes[0] == [1, 1]
    assert all(isinstance(outcome, StaleVersion) for outcome in outcomes[1:])
    assert await keys(store) == ["by-0", "lamp"]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 127, 128, 145, 300])
async def test_batches_of_any_size(store: Store, count: int) -> None:
    names = [f"{n:03}" for n in range(count)]
    assert await store.documents.commit(*(put(name, name.encode(), parity=[str(int(name) % 2)]) for name in names))
    assert await store.documents.commit(*(put(name, name.encode(), expect=1) for name in names)) == [2] * count
    assert [(record.key, record.body) for record in await store.documents.scan("thing")] == [
        (name, name.encode()) for name in names
    ]
    assert await store.documents.find("thing", "parity", "0") == []
    assert await store.documents.commit(*(Delete("thing", name) for name in names)) == [0] * count
    assert await keys(store) == []


async def test_scan_pages_through_a_prefix_in_key_order(store: Store) -> None:
    await store.documents.commit(*(put(key) for key in ("b/2", "a", "b/10", "b", "b/", "c", "b0", "B/1")))
    await store.documents.commit(put("b/9", kind="policy"))
    assert await keys(store) == ["B/1", "a", "b", "b/", "b/10", "b/2", "b0", "c"]
    assert await keys(store, prefix="b/") == ["b/", "b/10", "b/2"]
    assert await keys(store, prefix="b/", limit=2) == ["b/", "b/10"]
    assert await keys(store, prefix="b/", after="b/10", limit=2) == ["b/2"]
    assert await keys(store, prefix="b/", after="a") == ["b/", "b/10", "b/2"]
    assert await keys(store, prefix="b/", after="c") == []
    assert await keys(store, after="b/2") == ["b0", "c"]
    assert await keys(store, limit=0) == []


LAST = "\U0010ffff"
UNICODE = ["%", "_", "a\0", "a\0b", "aa", "a\ud7ff", "a\ue000", "aé", "a" + LAST, "a" + LAST + LAST, LAST]


@pytest.mark.parametrize("prefix", ["", "a", "a\0", "a\ud7ff", "a\U0010ffff", "\U0010ffff", "%", "A", "\U0001f4a1"])
async def test_scan_takes_any_unicode_prefix(store: Store, prefix: str) -> None:
    await store.documents.commit(*(put(key) for key in UNICODE))
    assert await keys(store, prefix=prefix) == sorted(key for key in UNICODE if key.startswith(prefix))


async def test_find_by_index_pages_in_key_order(store: Store) -> None:
    await store.documents.commit(
        put("c", room=["hall"], colour=["red", "blue"]),
        put("a", room=["hall", "hall"]),
        put("b", room=["attic"]),
        put("d", room=["hall"]),
        put("e", kind="policy", room=["hall"]),
    )

    async def found(index: str, value: str, **where: str | int) -> list[str]:
        return [one.key for one in await store.documents.find("thing", index, value, **where)]  # type: ignore[arg-type]

    assert await found("room", "hall") == ["a", "c", "d"]
    assert await found("room", "hall", limit=2) == ["a", "c"]
    assert await found("room", "hall", after="a", limit=1) == ["c"]
    assert await found("colour", "blue") == ["c"]
    assert await found("colour", "hall") == []
    await store.documents.commit(put("c", b"moved", room=["attic"]))
    assert await found("room", "hall") == ["a", "d"]
    assert await found("colour", "blue") == []
    assert [record.body for record in await store.documents.find("thing", "room", "attic")] == [b"{}", b"moved"]


async def test_a_queue_keeps_its_order_until_items_are_removed(store: Store) -> None:
    first = await store.queue.append("inbox", b"one", b"\0two", b"")
    [fourth] = await store.queue.append("inbox", b"four")
    await store.queue.append("other", b"elsewhere")
    numbers = [*first, fourth]
    assert numbers == sorted(set(numbers))
    assert await store.queue.read("inbox") == list(zip(numbers, [b"one", b"\0two", b"", b"four"], strict=True))
    assert await store.queue.read("inbox", after=numbers[0], limit=2) == [(numbers[1], b"\0two"), (numbers[2], b"")]
    await store.queue.remove("inbox", numbers[1], numbers[3])
    assert [item for _, item in await store.queue.read("inbox")] == [b"one", b""]


async def test_items_are_only_removed_from_their_own_queue(store: Store) -> None:
    [number] = await store.queue.append("inbox", b"mine")
    await store.queue.remove("other", number)
    await store.queue.remove("inbox", number + 1_000_000)
    assert await store.queue.read("inbox") == [(number, b"mine")]


async def test_dropping_a_queue_leaves_the_others_and_never_reuses_numbers(store: Store) -> None:
    numbers = await store.queue.append("inbox", b"1", b"2")
    await store.queue.append("other", b"3")
    await store.queue.drop("inbox")
    await store.queue.drop("never was")
    assert await store.queue.read("inbox") == []
    assert await store.queue.names() == ["other"]
    [later] = await store.queue.append("inbox", b"4")
    assert later > max(numbers)


async def test_queue_operations_handed_over_together_keep_their_order(store: Store) -> None:
    await store.queue.append("inbox", b"before")
    await asyncio.gather(
        store.queue.append("inbox", b"lost"),
        store.queue.append("other", b"kept"),
        store.queue.drop("inbox"),
        store.queue.append("inbox", b"after"),
    )
    assert [item for _, item in await store.queue.read("inbox")] == [b"after"]
    assert [item for _, item in await store.queue.read("other")] == [b"kept"]


async def test_names_of_queues_that_hold_something(store: Store) -> None:
    assert await store.queue.names() == []
    for name in ("session/b", "session/a", "session/a", "invoke/x", "session/é", "session"):
        await store.queue.append(name, b"1", b"2")
    [number] = await store.queue.append("session/emptied", b"1")
    await store.queue.remove("session/emptied", number)
    await store.queue.append("session/nothing")
    assert await store.queue.names() == ["invoke/x", "session", "session/a", "session/b", "session/é"]
    assert await store.queue.names("session/") == ["session/a", "session/b", "session/é"]
    assert await store.queue.names("z") == []


async def test_a_backlog_is_read_by_pages_in_the_order_of_numbers(store: Store) -> None:
    await store.backlogs.commit(Keep("c", 7, b"7"), Keep("c", 3, b"\0"), Keep("d", 5, b"other"), Keep("c", 10, b""))
    assert await store.backlogs.read("c") == [(3, b"\0"), (7, b"7"), (10, b"")]
    assert await store.backlogs.read("c", limit=1) == [(3, b"\0")]
    assert await store.backlogs.read("c", after=3, limit=1) == [(7, b"7")]
    assert await store.backlogs.read("c", after=7) == [(10, b"")]
    assert await store.backlogs.read("c", limit=0) == []
    assert await store.backlogs.read("never") == []


async def test_to_keep_a_number_again_replaces_it(store: Store) -> None:
    await store.backlogs.commit(Keep("c", 1, b"old", 5), Keep("c", 2, b"older"), Keep("c", 2, b"new"))
    await store.backlogs.commit(Keep("c", 1, b"newer", 2))
    assert await store.backlogs.read("c") == [(1, b"newer"), (2, b"new")]
    assert await store.backlogs.owners() == {"c": Backlog(3, 8, 2)}


async def test_owners_are_those_who_have_something_waiting(store: Store) -> None:
    assert await store.backlogs.owners() == {}
    await store.backlogs.commit(
        Keep("c", 9, b"1234", 3),
        Keep("c", 4, b"56"),
        Keep("é", 1, b"", 0),
        Keep("gone", 1, b"x"),
        Keep("done", 1, b"x"),
    )
    await store.backlogs.commit(Discard("done", [1]), DiscardAll("gone"))
    assert await store.backlogs.owners() == {"c": Backlog(4, 6, 9), "é": Backlog(0, 0, 1)}


async def test_what_is_discarded_is_the_owners_own_and_need_not_be_there(store: Store) -> None:
    await store.backlogs.commit(*(Keep(owner, number, b"x") for owner in "cd" for number in range(1, 200)))
    await store.backlogs.commit(Discard("c", [1, 3, 3, 500, 2, *range(7, 190)]), Discard("d", []), Discard("e", [1]))
    assert [number for number, _ in await store.backlogs.read("c")] == [4, 5, 6, *range(190, 200)]
    assert len(await store.backlogs.read("d")) == 199
    await store.backlogs.commit(DiscardAll("d"), DiscardAll("e"))
    assert list(await store.backlogs.owners()) == ["c"]


async def test_the_order_within_a_batch_of_a_backlog_counts(store: Store) -> None:
    await store.backlogs.commit(Keep("c", 1, b"stored"), Keep("c", 2, b"stored"), Keep("d", 1, b"stored"))
    await store.backlogs.commit(
        Keep("c", 3, b"lost"), Discard("c", [1, 3]), Keep("c", 1, b"again"), Keep("c", 2, b"lost"), Discard("c", [2]),
        Keep("d", 2, b"lost"), DiscardAll("d"), Keep("d", 3, b"after"), Discard("d", [1, 4]), Keep("d", 4, b"too"),
    )  # fmt: skip
    assert await store.backlogs.read("c") == [(1, b"again")]
    assert await store.backlogs.read("d") == [(3, b"after"), (4, b"too")]


async def test_backlog_operations_handed_over_together_keep_their_order(store: Store) -> None:
    await asyncio.gather(
        store.backlogs.commit(Keep("c", 1, b"lost"), Keep("c", 2, b"lost")),
        store.backlogs.commit(DiscardAll("c")),
        store.backlogs.commit(Keep("c", 2, b"after"), Keep("c", 3, b"lost")),
        store.backlogs.commit(Discard("c", [1, 3])),
    )
    assert await store.backlogs.read("c") == [(2, b"after")]


async def test_a_backlog_takes_documents_along_all_or_none(store: Store) -> None:
    await store.backlogs.commit(put("lamp", b"1"), Keep("c", 1, b"kept"), Keep("d", 1, b"kept"))
    with pytest.raises(StaleVersion):
        await store.backlogs.commit(
            put("other"), Keep("c", 2, b"no"), Discard("c", [1]), DiscardAll("d"), put("lamp", expect=0)
        )
    assert await keys(store) == ["lamp"]
    assert await store.backlogs.owners() == {"c": Backlog(1, 4, 1), "d": Backlog(1, 4, 1)}
    await store.backlogs.commit(Discard("c", [1]), Delete("thing", "lamp", 1), DiscardAll("d"))
    assert await keys(store) == []
    assert await store.backlogs.owners() == {}


@pytest.mark.parametrize("count", [1, 15, 16, 17, 127, 128, 145, 300])
async def test_backlogs_of_any_number(store: Store, count: int) -> None:
    await store.backlogs.commit(*(Keep(f"{n:03}", 1, str(n).encode()) for n in range(count)))
    assert list(await store.backlogs.owners()) == [f"{n:03}" for n in range(count)]
    await store.backlogs.commit(*(Discard(f"{n:03}", [1]) for n in range(0, count, 2)))
    assert list(await store.backlogs.owners()) == [f"{n:03}" for n in range(1, count, 2)]
    await store.backlogs.commit(*(DiscardAll(f"{n:03}") for n in range(count)))
    assert await store.backlogs.owners() == {}


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 66, 200])
async def test_discarded_ranges_of_any_length(store: Store, length: int) -> None:
    await store.backlogs.commit(*(Keep("c", number, b"") for number in range(1, 301)))
    await store.backlogs.commit(Discard("c", range(50, 50 + length)))
    left = [number for number in range(1, 301) if not 50 <= number < 50 + length]
    assert [number for number, _ in await store.backlogs.read("c")] == left


async def test_blobs(store: Store) -> None:
    digest = await store.blobs.put(b"code")
    assert digest == hashlib.sha256(b"code").hexdigest()
    assert await store.blobs.put(b"code") == digest
    assert await store.blobs.get(digest) == b"code"
    assert await store.blobs.get(await store.blobs.put(b"")) == b""
    await store.blobs.delete(digest)
    await store.blobs.delete(digest)
    assert await store.blobs.get(digest) is None


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "0" * 63, "g" * 64, "A" * 64, "é" * 64, "0" * 64 + "\n"])
async def test_what_is_no_digest_names_no_blob(store: Store, digest: str) -> None:
    assert await store.blobs.get(digest) is None
    await store.blobs.delete(digest)
