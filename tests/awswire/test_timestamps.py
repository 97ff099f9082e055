import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.awswire import timestamps


@given(st.integers(0, 4_000_000_000), st.sampled_from(["iso8601", "rfc822", "unixTimestamp"]))
def test_each_format_comes_back(seconds: int, format_: str) -> None:
    assert timestamps.from_text(timestamps.to_text(seconds, format_), format_) == seconds


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("iso8601", "2023-11-14T22:13:20.500Z"),
        ("rfc822", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ("unixTimestamp", "1700000000.5"),
    ],
)
def test_written_as_aws_writes(format_: str, text: str) -> None:
    assert timestamps.to_text(1_700_000_000.5, format_) == text


@pytest.mark.parametrize("text", ["2023-11-14T22:13:20", "2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00"])
def test_a_moment_without_a_zone_is_utc(text: str) -> None:
    assert timestamps.from_text(text, "iso8601") == 1_700_000_000


@pytest.mark.parametrize("format_", ["iso8601", "rfc822", "unixTimestamp"])
def test_no_moment_is_a_value_error(format_: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        timestamps.from_text("soon", format_)
