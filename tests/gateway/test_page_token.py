import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.gateway.page_token import LONGEST, read_token, write_token


@given(name=st.text())
def test_a_token_stands_for_a_name(name: str) -> None:
    assert read_token(write_token(name)) == name


def test_without_a_token_a_list_begins_at_the_beginning() -> None:
    assert read_token(None) == ""


@pytest.mark.parametrize("token", ["!", "a", "/w==", "ä", "A" * (LONGEST + 4)])
def test_tokens_that_nobody_gave_out(token: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid nextToken"):
        read_token(token)


def test_the_longest_topic_fits() -> None:
    assert len(write_token("a" * 65_535)) <= LONGEST
