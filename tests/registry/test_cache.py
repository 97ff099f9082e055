import asyncio

import pytest

from fogbank.registry.cache import Cache


class Store:
    """Values that can change while they are being read."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.reads = 0
        self.gate: asyncio.Event | None = None

    async def read(self, key: str) -> int | None:
        self.reads += 1
        value = self.values.get(key)
        if self.gate is not None:
            await self.gate.wait()
        return value


@pytest.fixture
def store() -> Store:
    return Store()


async def test_a_value_is_read_once(store: Store) -> None:
    cache = Cache(10, store.read)
    store.values["a"] = 1
    assert [await cache.get("a"), await cache.get("a")] == [1, 1]
    assert store.reads == 1


async def test_nothing_is_not_kept(store: Store) -> None:
    cache = Cache(10, store.read)
    assert await cache.get("a") is None
    store.values["a"] = 1
    assert await cache.get("a") == 1


async def test_a_forgotten_value_is_read_again(store: Store) -> None:
    cache = Cache(10, store.read)
    store.values["a"] = 1
    await cache.get("a")
    store.values["a"] = 2
    assert await cache.get("a") == 1
    cache.forget("a")
    assert await cache.get("a") == 2


async def test_a_write_during_a_read_is_not_lost(store: Store) -> None:
    cache = Cache(10, store.read)
    store.values["a"] = 1
    store.gate = asyncio.Event()
    readers = [asyncio.create_task(cache.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    store.values["a"] = 2
    cache.forget("a")
    store.gate.set()
    assert await asyncio.gather(*readers) == [2, 2, 2]
    assert await cache.get("a") == 2


async def test_the_one_asked_for_least_recently_goes_first(store: Store) -> None:
    cache = Cache(2, store.read)
    store.values = {"a": 1, "b": 2, "c": 3}
    for key in ("a", "b", "a", "c"):
        await cache.get(key)
    assert (len(cache), store.reads) == (2, 3)
    await cache.get("a")
    assert store.reads == 3
    await cache.get("b")
    assert store.reads == 4


async def test_a_failed_read_leaves_nothing_behind() -> None:
    async def broken(key: str) -> int:
        raise OSError(key)

    cache = Cache(10, broken)
    for _ in range(2):
        with pytest.raises(OSError, match="a"):
            await cache.get("a")
    assert len(cache) == 0
