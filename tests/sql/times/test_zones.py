"""Time zones by name."""

from datetime import datetime, timedelta

import pytest

from fogbank.sql.times.zones import zone, zone_by_abbreviation

SUMMER = datetime(2020, 7, 1)


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("UTC", 0),
        ("Z", 0),
        ("GMT", 0),
        ("+02:00", 2),
        ("-0230", -2.5),
        ("UTC+1", 1),
        ("GMT-11:30", -11.5),
        ("+18", 18),
        ("Europe/Berlin", 2),
        ("America/Los_Angeles", -7),
    ],
)
def test_zones(name: str, hours: float) -> None:
    found = zone(name)
    assert found is not None
    assert found.utcoffset(SUMMER) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "name",
    ["", "Mars/Base", "+19:00", "+02:60", "America", "../UTC", "/etc/passwd", "a\0b", "Europe/berlin ", "x" * 300],
)
def test_no_zones(name: str) -> None:
    assert zone(name) is None


def test_abbreviations() -> None:
    pacific = zone_by_abbreviation("PST")
    assert pacific is not None
    assert pacific.utcoffset(SUMMER) == timedelta(hours=-7)
    assert zone_by_abbreviation("XYZ") is None
