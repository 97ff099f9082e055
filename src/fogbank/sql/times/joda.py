"""`parse_time`: a moment as text, by a Joda-Time pattern (developer guide: `parse_time`; Joda-Time: DateTimeFormat)."""

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from fogbank.sql.times.patterns import MONTHS, SHORT, WEEKDAYS, Field, PatternError, tokenize
from fogbank.sql.times.zones import offset_minutes

Formatter: TypeAlias = Callable[[datetime, int], str]
"""Writes one field of a moment; the number is how often its letter was repeated."""


def _number(read: Callable[[datetime], int]) -> Formatter:
    return lambda moment, count: str(read(moment)).zfill(count)


def _year(read: Callable[[datetime], int]) -> Formatter:
    """Two letters mean two digits."""
    return lambda moment, count: str(read(moment) % 100 if count == 2 else read(moment)).zfill(count)


def _name(names: tuple[str, ...], index: int, count: int) -> str:
    return names[index] if count > SHORT else names[index][:SHORT]


def _month(moment: datetime, count: int) -> str:
    return str(moment.month).zfill(count) if count < SHORT else _name(MONTHS, moment.month - 1, count)


def _fraction(moment: datetime, count: int) -> str:
    """As many digits of the second's fraction, cut, not rounded; the moment has milliseconds."""
    return f"{moment.microsecond:06}"[:count].ljust(count, "0")


def _offset(moment: datetime, count: int) -> str:
    """`+0100`, `+01:00`, or from three letters on the name of the zone."""
    if count >= SHORT:
        return str(moment.tzinfo)
    minutes = offset_minutes(moment)
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}{':' if count == 2 else ''}{rest:02}"


def _zone_name(moment: datetime, _: int) -> str:
    return moment.tzname() or ""


_FIELDS: Final[dict[str, Formatter]] = {
    "G": lambda moment, _: "AD",
    "C": _number(lambda moment: moment.year // 100),
    "Y": _year(lambda moment: moment.year),
    "y": _year(lambda moment: moment.year),
    "x": _year(lambda moment: moment.isocalendar().year),
    "w": _number(lambda moment: moment.isocalendar().week),
    "e": _number(datetime.isoweekday),
    "E": lambda moment, count: _name(WEEKDAYS, moment.weekday(), count),
    "D": _number(lambda moment: moment.timetuple().tm_yday),
    "M": _month,
    "d": _number(lambda moment: moment.day),
    "a": lambda moment, _: "AM" if moment.hour < 12 else "PM",
    "K": _number(lambda moment: moment.hour % 12),
    "h": _number(lambda moment: moment.hour % 12 or 12),
    "H": _number(lambda moment: moment.hour),
    "k": _number(lambda moment: moment.hour or 24),
    "m": _number(lambda moment: moment.minute),
    "s": _number(lambda moment: moment.second),
    "S": _fraction,
    "z": _zone_name,
    "Z": _offset,
}


def formatter(pattern: str) -> Callable[[datetime], str]:
    """What formats by `pattern`, or `PatternError`."""
    parts: list[tuple[Formatter, int]] = []
    for token in tokenize(pattern):
        if isinstance(token, str):
            parts.append((lambda _, __, text=token: text, 0))  # type: ignore[misc]
        elif token == Field("z", max(token.count, SHORT + 1)):
            raise PatternError(
                f"long names of time zones ({'z' * token.count}) are not supported; z gives the short one"
            )
        elif token.letter not in _FIELDS:
            raise PatternError(f"the pattern letter {token.letter!r} is not one of Joda-Time's")
        else:
            parts.append((_FIELDS[token.letter], token.count))
    return lambda moment: "".join(write(moment, count) for write, count in parts)
