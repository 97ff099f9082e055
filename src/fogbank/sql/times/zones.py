"""Time zones by name, offset or abbreviation."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

_OFFSET: Final = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?", re.ASCII)

_ABBREVIATIONS: Final = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "MST": "America/Denver",
    "MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "CET": "Europe/Paris",
    "CEST": "Europe/Paris",
    "BST": "Europe/London",
    "JST": "Asia/Tokyo",
}
"""The abbreviations that are understood where a text is parsed. Many others mean several zones."""

_HIGHEST_OFFSET: Final = timedelta(hours=18)
"""The limit of the JDK's ZoneOffset."""


def zone(name: str) -> tzinfo | None:
    """The zone of `Europe/Paris`, `UTC`, `Z`, `+02:00`, `UTC+2`; None where there is no such zone."""
    if name in ("UTC", "Z", "GMT", "UT"):
        return UTC
    if match := _OFFSET.fullmatch(name):
        return offset(*match.groups())
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def offset(sign: str, hours: str, minutes: str | None = None, seconds: str | None = None) -> tzinfo | None:
    """The fixed offset written as `+hh[:mm[:ss]]`; None beyond 18 hours."""
    delta = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
    if delta > _HIGHEST_OFFSET or int(minutes or 0) > 59 or int(seconds or 0) > 59:
        return None
    return timezone(-delta if sign == "-" else delta)


def zone_by_abbreviation(name: str) -> tzinfo | None:
    """The zone that `PST` and the like mean; None for those not known."""
    return zone(_ABBREVIATIONS[name]) if name in _ABBREVIATIONS else None


def offset_minutes(moment: datetime) -> int:
    """How far the local time of `moment` is ahead of UTC."""
    delta = moment.utcoffset()
    return 0 if delta is None else int(delta.total_seconds() // 60)
