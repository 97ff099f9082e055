"""Maintenance windows: when things may be told of a job (developer guide, jobs-scheduling). Pure; times are UTC.

A window begins by AWS's cron expressions: `cron(Minutes Hours Day-of-month Month Day-of-week Year)`, where one of the
two days is `?`. A clock that moves only forward needs no more than this: look at each day, and at the minutes of those
that match.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from fogbank.errors import InvalidRequest

MOST_MINUTES = 1430
HORIZON_DAYS = 366 * 5
"""How far ahead windows are looked for. One on a 29 February alone may be further away, and is found in time."""

_MONTHS = dict(zip("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), range(1, 13), strict=True))  # noqa: SIM905
_DAYS = dict(zip("SUN MON TUE WED THU FRI SAT".split(), range(1, 8), strict=True))  # noqa: SIM905
_PART = re.compile(r"(?:(?P<first>\w+)(?:-(?P<last>\w+))?|\*)(?:/(?P<step>\d+))?", re.ASCII)
_CRON = re.compile(r"cron\((.*)\)", re.ASCII)


class Cron(msgspec.Struct, frozen=True):
    """The values that each field allows; None for a day that is `?`."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    """1 is Sunday."""
    years: frozenset[int]

    def on(self, day: datetime) -> bool:
        """Whether a day is one of its days."""
        if day.month not in self.months or day.year not in self.years:
            return False
        if self.days is not None:
            return day.day in self.days
        return self.weekdays is None or day.isoweekday() % 7 + 1 in self.weekdays

    def times(self, midnight: datetime) -> Iterator[datetime]:
        """The times of one day, in order."""
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                yield midnight.replace(hour=hour, minute=minute)


def parse_cron(text: str) -> Cron:
    """Raises InvalidRequest, naming the field."""
    found = _CRON.fullmatch(text.strip())
    fields = (found[1] if found else text).split()
    if len(fields) != 6:
        raise InvalidRequest(f"maintenanceWindows: {text!r} is not cron(minutes hours day month weekday year)")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise InvalidRequest(f"maintenanceWindows: of the days in {text!r} one, and one only, must be ?")
    return Cron(
        _values("minutes", minutes, 0, 59),
        _values("hours", hours, 0, 23),
        None if days == "?" else _values("day of month", days, 1, 31),
        _values("month", months, 1, 12, _MONTHS),
        None if weekdays == "?" else _values("day of week", weekdays, 1, 7, _DAYS),
        _values("year", years, 1970, 2199),
    )


def _values(field: str, text: str, least: int, most: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.upper().split(","):
        found = _PART.fullmatch(part)
        if found is None:
            raise InvalidRequest(f"maintenanceWindows: the {field} {text!r} is not understood")
        step = int(found["step"] or 1)
        if found["first"] is None:
            first, last = least, most
        else:
            first = _number(field, found["first"], names or {})
            last = _number(field, found["last"], names or {}) if found["last"] else most if found["step"] else first
        if not (least <= first <= last <= most and step >= 1):
            raise InvalidRequest(f"maintenanceWindows: the {field} {text!r} is not within {least} and {most}")
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(field: str, text: str, names: Mapping[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit() or len(text) > 4:
        raise InvalidRequest(f"maintenanceWindows: the {field} {text!r} is not understood")
    return int(text)


class MaintenanceWindow(msgspec.Struct, frozen=True, rename="camel"):
    """A recurring time of so many minutes."""

    start_time: str
    duration_in_minutes: int

    def check(self) -> None:
        """Raises InvalidRequest."""
        parse_cron(self.start_time)
        if not 1 <= self.duration_in_minutes <= MOST_MINUTES:
            raise InvalidRequest(f"durationInMinutes must be between 1 and {MOST_MINUTES}")

    def beginnings(self, since: datetime) -> Iterator[datetime]:
        """When it begins, from a time on, as far as the horizon."""
        cron = parse_cron(self.start_time)
        midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
        for days in range(HORIZON_DAYS):
            day = midnight + timedelta(days=days)
            if cron.on(day):
                yield from (time for time in cron.times(day) if time >= since)


def is_open(windows: tuple[MaintenanceWindow, ...], now: float) -> bool:
    """Whether it is within one of the windows; without any it always is."""
    if not windows:
        return True
    moment = datetime.fromtimestamp(now, UTC)
    for window in windows:
        duration = timedelta(minutes=window.duration_in_minutes)
        begun = next(window.beginnings(moment - duration + timedelta(microseconds=1)), None)
        if begun is not None and begun <= moment:
            return True
    return False


def upcoming(windows: tuple[MaintenanceWindow, ...], now: float, count: int) -> list[float]:
    """The next beginnings after now, seconds since the epoch."""
    moment = datetime.fromtimestamp(now, UTC)
    found: list[float] = []
    for window in windows:
        for place, time in enumerate(window.beginnings(moment)):
            if place >= count:
                break
            found.append(time.timestamp())
    return sorted(set(found))[:count]
