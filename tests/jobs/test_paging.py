import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.jobs.paging import Paging
from fogbank.jobs.records import JobText
from fogbank.storage.collection import Stored


def reading(keys: list[str]):  # type: ignore[no-untyped-def]
    async def read(after: str, limit: int) -> list[Stored[JobText]]:
        return [Stored(key, 1, JobText(key)) for key in keys if key > after][:limit]

    return read


@given(st.sets(st.text(max_size=3), max_size=40), st.integers(1, 7), st.booleans())
async def test_the_pages_of_a_list_are_the_list(keys: set[str], size: int, filtered: bool) -> None:
    ordered = sorted(keys - {""})
    match = (lambda one: len(one.text) % 2 == 1) if filtered else None
    seen: list[str] = []
    token = None
    while True:
        page = await Paging(token, size).page("list", reading(ordered), match)
        seen += [one.text for one in page.items]
        token = page.next
        if token is None:
            break
        assert len(page.items) == size
    assert seen == [key for key in ordered if not filtered or len(key) % 2 == 1]


@pytest.mark.parametrize("token", ["", "x", "!!!", "AAAA", "x" * 2000])
async def test_a_token_from_elsewhere(token: str) -> None:
    with pytest.raises(InvalidRequest, match="nextToken"):
        await Paging(token).page("list", reading(["a"]))


async def test_a_token_of_another_list() -> None:
    page = await Paging(None, 1).page("list", reading(["a", "b"]))
    with pytest.raises(InvalidRequest):
        await Paging(page.next).page("other list", reading(["a", "b"]))
