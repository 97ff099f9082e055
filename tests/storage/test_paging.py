import base64

import pytest

from fogbank.errors import InvalidRequest
from fogbank.registry.records import Thing
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Paging, filtered

KEYS = [f"k{number:02}" for number in range(10)]


async def read(after: str, limit: int) -> list[Stored[Thing]]:
    return [Stored(key, 1, Thing(name=key, id="x")) for key in KEYS if key > after][:limit]


async def test_pages_follow_one_another_and_end() -> None:
    listed = []
    token = None
    for expected in (4, 4, 2):
        page = await Paging(token, 4).page("list", read)
        assert len(page.items) == expected
        listed += [one.key for one in page.items]
        token = page.next
    assert (listed, token) == (KEYS, None)


async def test_a_full_last_page_has_no_token() -> None:
    assert (await Paging(size=10).page("list", read)).next is None


async def test_a_token_fits_the_pattern_of_the_model() -> None:
    page = await Paging(size=3).page("list", read)
    assert page.next is not None
    assert base64.b64decode(page.next, validate=True)


@pytest.mark.parametrize("token", ["", "x", "!!!!", "AAAA", "////", "A" * 2000, "ä", base64.b64encode(b"k02").decode()])
async def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid token"):
        await Paging(token).page("list", read)


@pytest.mark.parametrize("size", [0, -1, 251])
async def test_a_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 250"):
        await Paging(size=size).page("list", read)


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
@pytest.mark.parametrize("size", [1, 2, 10])
@pytest.mark.parametrize("wanted", [[], ["k09"], ["k00", "k01", "k02"], ["k04", "k09"], KEYS])
async def test_a_filtered_list_reads_on_until_a_page_is_full(batch: int, size: int, wanted: list[str]) -> None:
    listed = []
    token = None
    while True:
        page = await Paging(token, size).page("list", filtered(read, lambda one: one.name in wanted, batch))
        listed += [one.key for one in page.items]
        token = page.next
        if token is None:
            break
    assert listed == wanted
