"""Moments written by Joda-Time patterns (Joda-Time: DateTimeFormat)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from fogbank.sql.times.joda import formatter
from fogbank.sql.times.patterns import PatternError

AFTERNOON = datetime(2020, 4, 3, 14, 5, 9, 87_000, tzinfo=ZoneInfo("Europe/Berlin"))
MIDNIGHT = datetime(2021, 1, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "afternoon", "midnight"),
    [
        ("yyyy-MM-dd'T'HH:mm:ss.SSSZZ", "2020-04-03T14:05:09.087+02:00", "2021-01-01T00:00:00.000+00:00"),
        ("y yy yyy yyyyy", "2020 20 2020 02020", "2021 21 2021 02021"),
        ("M MM MMM MMMM", "4 04 Apr April", "1 01 Jan January"),
        ("d dd ddd D DDD", "3 03 003 94 094", "1 01 001 1 001"),
        ("E EEE EEEE e", "Fri Fri Friday 5", "Fri Fri Friday 5"),
        ("h hh K KK a", "2 02 2 02 PM", "12 12 0 00 AM"),
        ("H HH k kk", "14 14 14 14", "0 00 24 24"),
        ("m mm s ss S SS SSSS", "5 05 9 09 0 08 0870", "0 00 0 00 0 00 0000"),
        ("x w ww", "2020 14 14", "2020 53 53"),
        ("Z ZZ ZZZ z", "+0200 +02:00 Europe/Berlin CEST", "+0000 +00:00 UTC UTC"),
        ("G C Y", "AD 20 2020", "AD 20 2021"),
        ("'o''clock' '' h", "o'clock ' 2", "o'clock ' 12"),
        ("", "", ""),
    ],
)
def test_fields(pattern: str, afternoon: str, midnight: str) -> None:
    write = formatter(pattern)
    assert (write(AFTERNOON), write(MIDNIGHT)) == (afternoon, midnight)


def test_negative_offsets() -> None:
    assert formatter("Z ZZ")(AFTERNOON.astimezone(ZoneInfo("America/St_Johns"))) == "-0230 -02:30"


@pytest.mark.parametrize("pattern", ["zzzz", "Q", "yyyy 'T"])
def test_patterns_that_cannot_be_used(pattern: str) -> None:
    with pytest.raises(PatternError):
        formatter(pattern)
