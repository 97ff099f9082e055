from fogbank.shadows.cache import Held, ShadowCache
from fogbank.shadows.document import Shadow
from fogbank.shadows.topics import ShadowId

A, B, C = ShadowId("a"), ShadowId("b"), ShadowId("c")


def held(size: int) -> Held:
    return Held(Shadow(1, 1), 1, size)


def test_the_least_recently_used_goes_first() -> None:
    cache = ShadowCache(2 * (1000 + ShadowCache.ENTRY_BYTES))
    one = held(1000)
    cache.put(A, one)
    cache.put(B, held(1000))
    assert cache.get(A) is one
    cache.put(C, held(1000))
    assert cache.get(B) is None
    assert cache.get(A) is one


def test_replacing_and_dropping_give_back_their_room() -> None:
    cache = ShadowCache(2 * (1000 + ShadowCache.ENTRY_BYTES))
    for _ in range(5):
        cache.put(A, held(1000))
        cache.put(B, held(1000))
        cache.drop(B)
        cache.drop(B)
    cache.put(B, held(1000))
    assert len(cache) == 2


def test_what_is_too_large_is_not_kept() -> None:
    cache = ShadowCache(1000)
    cache.put(A, held(2000))
    assert len(cache) == 0
    cache.put(B, held(0))
    assert len(cache) == 1
