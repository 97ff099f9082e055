"""Pages of short lists."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.identity.paging import PAGE, cut


class One(msgspec.Struct, frozen=True):
    name: str


@given(
    names=st.sets(st.text(alphabet="abXY=,@-_0", min_size=1, max_size=4), max_size=30),
    size=st.integers(1, 12),
    descending=st.booleans(),
)
def test_all_pages_are_the_whole_list(names: set[str], size: int, descending: bool) -> None:
    listed: list[str] = []
    marker = None
    while True:
        page, marker = cut([One(name) for name in names], marker, size, descending=descending)
        assert len(page) <= size
        listed += [one.name for one in page]
        if marker is None:
            break
        assert len(page) == size
    assert listed == sorted(names, reverse=descending)


def test_what_changes_in_between_hides_nothing() -> None:
    page, marker = cut([One("a"), One("b"), One("d")], None, 2)
    rest, _ = cut([One("a2"), One("c"), One("d")], marker, 2)
    assert [one.name for one in page + rest] == ["a", "b", "c", "d"]


def test_a_page_has_a_size_where_none_is_asked_for() -> None:
    page, marker = cut([One(f"{number:03}") for number in range(PAGE + 1)], None, None)
    assert (len(page), marker is None) == (PAGE, False)


@pytest.mark.parametrize("marker", ["!", "YQ", base64.b64encode(b"\xff").decode(), "A" * 1028])
def test_markers_that_are_none_of_ours(marker: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid marker"):
        cut([One("a")], marker, 1)
