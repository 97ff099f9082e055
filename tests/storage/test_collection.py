"""Typed documents: what goes in comes out, found by what it is indexed under."""

import msgspec
import pytest

from fogbank.ports import Put, StaleVersion, StorageError
from fogbank.storage import Store
from fogbank.storage.collection import Collection, Indexes, Stored


class Lamp(msgspec.Struct, frozen=True):
    room: str
    colours: list[str] = []


def lamps(store: Store) -> Collection[Lamp]:
    def indexes(lamp: Lamp) -> Indexes:
        return {"room": [lamp.room], "colour": lamp.colours}

    return Collection(store.documents, "lamp", Lamp, indexes=indexes)


async def test_put_get_and_delete(store: Store) -> None:
    collection = lamps(store)
    assert await collection.get("a") is None
    assert await collection.put("a", Lamp("hall"), expect=0) == 1
    assert await collection.put("a", Lamp("attic", ["red"]), expect=1) == 2
    assert await collection.get("a") == Stored("a", 2, Lamp("attic", ["red"]))
    with pytest.raises(StaleVersion):
        await collection.put("a", Lamp("cellar"), expect=1)
    with pytest.raises(StaleVersion):
        await collection.delete("a", expect=1)
    await collection.delete("a", expect=2)
    assert await collection.get("a") is None


async def test_scan_and_find(store: Store) -> None:
    collection = lamps(store)
    for key, lamp in {"a/1": Lamp("hall"), "a/2": Lamp("hall", ["red", "blue"]), "b/1": Lamp("attic", ["red"])}.items():
        await collection.put(key, lamp)
    assert [one.key for one in await collection.scan(prefix="a/")] == ["a/1", "a/2"]
    assert [one.key for one in await collection.scan(after="a/1", limit=1)] == ["a/2"]
    assert [one.key for one in await collection.find("colour", "red")] == ["a/2", "b/1"]
    assert await collection.find("room", "hall", after="a/1") == [Stored("a/2", 1, Lamp("hall", ["red", "blue"]))]


async def test_changes_of_several_collections_in_one_commit(store: Store) -> None:
    collection, others = lamps(store), Collection(store.documents, "other", Lamp)
    await collection.put("a", Lamp("hall"))
    with pytest.raises(StaleVersion):
        await store.documents.commit(collection.deleting("a"), others.putting("b", Lamp("attic"), expect=1))
    assert await collection.get("a") is not None
    changes = (collection.deleting("a"), others.putting("b", Lamp("attic"), expect=0))
    assert await store.documents.commit(*changes) == [0, 1]
    assert await collection.get("a") is None
    assert await others.find("room", "attic") == [], "without `indexes` nothing is indexed"


async def test_what_a_commit_rests_on_is_expected_and_left_as_it_is(store: Store) -> None:
    collection = lamps(store)
    await collection.put("a", Lamp("hall"))
    assert await store.documents.commit(collection.expecting("a", 1), collection.putting("b", Lamp("attic"))) == [1, 1]
    with pytest.raises(StaleVersion):
        await store.documents.commit(collection.expecting("a", 2), collection.deleting("b"))
    assert await collection.get("a") == Stored("a", 1, Lamp("hall"))
    assert await collection.get("b") is not None


async def test_a_document_of_another_shape_is_named(store: Store) -> None:
    await store.documents.commit(Put("lamp", "a", b'{"floor":1}'))
    with pytest.raises(StorageError, match=r"stored lamp 'a' cannot be read: .*`room`"):
        await lamps(store).get("a")
