"""Texts read by patterns, against what the JDK's own DateTimeFormatter made of them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.sql.times.jdk import parser
from fogbank.sql.times.patterns import PatternError

LINES = Path(__file__).with_name("jdk_17.txt").read_text("utf-8").splitlines()
VECTORS = [tuple(line.split("|")) for line in LINES if not line.startswith("#")]


@pytest.mark.parametrize(("text", "pattern", "wanted"), VECTORS)
def test_as_the_jdk_does(text: str, pattern: str, wanted: str) -> None:
    if wanted == "error":
        with pytest.raises(PatternError):
            parser(pattern)(text)
    else:
        assert parser(pattern)(text) == int(wanted)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("yyyy-MM-dd Q", "the pattern letter 'Q' is not supported"),
        ("yyyy [MM", r"the pattern has a \[ without \]"),
        ("yyyy] MM", r"has a \] without \["),
        ("ddd", "too many 'd'"),
        ("MMMMM", "names of one letter"),
        ("V", "the zone is VV"),
        ("XXXXXX", "'XXXXXX' is not supported"),
        ("yyyy 'T", "the quotation that begins at character 6"),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, complaint: str) -> None:
    with pytest.raises(PatternError, match=complaint):
        parser(pattern)


@given(
    st.text(alphabet="yuMLdDEaHhKksSnzVXxZO'[]-: T", max_size=30),
    st.text(alphabet="0123456789-+:Z TJanFri", max_size=30),
)
def test_any_pattern_and_text_ends_in_a_number_or_an_error(pattern: str, text: str) -> None:
    try:
        moment = parser(pattern)(text)
    except PatternError:
        return
    assert abs(moment) < 10**15
