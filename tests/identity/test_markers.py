"""Markers of lists: what was written is read, and nothing else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.identity import markers


@given(st.text(st.characters(codec="utf-8"), max_size=100))
def test_what_was_written_is_read(place: str) -> None:
    assert markers.read(markers.write(place)) == place


@pytest.mark.parametrize(
    "marker", ["no base64!", "YQ", "é", base64.b64encode(b"\xff").decode(), "YWFh" * (markers.LONGEST // 4 + 1)]
)
def test_what_was_never_a_marker(marker: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (its text is the callers')
        markers.read(marker)
