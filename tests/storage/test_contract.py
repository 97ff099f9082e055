"""What every storage engine does, said once and asked of each."""

import asyncio
import hashlib

import pytest

from fogbank.ports import Delete, Put, Record, StaleVersion
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
