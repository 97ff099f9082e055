"""`time_to_epoch`: text to a moment, by a pattern of the JDK's DateTimeFormatter (developer guide: `time_to_epoch`).

A pattern becomes a list of steps, each of which reads at a position and returns the next: text is read once, from left
to right, so that no pattern and no text takes long.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, TypeAlias

from fogbank.sql.times.patterns import MONTHS, SHORT, WEEKDAYS, Field, PatternError, Token, tokenize
from fogbank.sql.times.zones import offset, zone, zone_by_abbreviation

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_DIGITS: Final = 19
_ZONE: Final = re.compile(r"[A-Za-z0-9_/+:-]+", re.ASCII)


class _Reading:
    """What has been read so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.numbers: dict[str, int] = {}
        self.zone: tzinfo | None = None


_Step: TypeAlias = Callable[[_Reading, int], int]
"""Reads at a position and returns where the rest begins, or raises `PatternError`."""


def parser(pattern: str) -> Callable[[str], int]:
    """What reads text by `pattern` into milliseconds since the epoch, or `PatternError`, which it may raise too."""
    tokens = tokenize(pattern)
    steps, rest = _steps(tokens, 0)
    if rest < len(tokens):
        raise PatternError(f"the pattern {pattern!r} has a ] without [")

    def parse(text: str) -> int:
        reading = _Reading(text)
        at = _run(steps, reading, 0)
        if at < len(text):
            raise PatternError(f"{text[at:]!r} is left over")
        return _resolve(reading)

    return parse


def _run(steps: list[_Step], reading: _Reading, at: int) -> int:
    for step in steps:
        at = step(reading, at)
    return at


def _steps(tokens: list[Token], at: int) -> tuple[list[_Step], int]:
    """The steps up to the end or the `]` that closes this section, and where that is."""
    steps: list[_Step] = []
    while at < len(tokens) and tokens[at] != "]":
        match tokens[at]:
            case "[":
                inner, at = _steps(tokens, at + 1)
                if at == len(tokens):
                    raise PatternError("the pattern has a [ without ]")
                steps.append(_optional(inner))
            case str() as literal:
                steps.append(_literal(literal))
            case Field() as field:
                steps.append(_field(field, _width_after(tokens, at)))
        at += 1
    return steps, at


def _width_after(tokens: list[Token], at: int) -> int:
    """How many digits the fields of fixed width right after a number of variable width take for themselves."""
    width = 0
    for token in tokens[at + 1 :]:
        if not isinstance(token, Field) or token.letter not in _NUMBERS or not _fixed(token):
            break
        width += token.count
    return width


def _fixed(field: Field) -> bool:
    return field.count != 1 and (field.letter not in "yu" or field.count != SHORT)


def _optional(steps: list[_Step]) -> _Step:
    def read(reading: _Reading, at: int) -> int:
        before = dict(reading.numbers), reading.zone
        try:
            return _run(steps, reading, at)
        except PatternError:
            reading.numbers, reading.zone = before
            return at

    return read


def _literal(literal: str) -> _Step:
    def read(reading: _Reading, at: int) -> int:
        if not reading.text.startswith(literal, at):
            raise PatternError(f"{literal!r} is missing at character {at + 1}")
        return at + len(literal)

    return read


_NUMBERS: Final = dict.fromkeys("uydDHkhKmsn") | {"M": None, "L": None, "S": None}
"""The letters that stand for numbers; M and L from three of them on stand for names."""


def _field(field: Field, width_after: int) -> _Step:
    letter, count = field.letter, field.count
    if letter in "ML" and count >= SHORT:
        return _name("M", MONTHS, count)
    if letter == "E":
        return _name("E", WEEKDAYS, count)
    if letter == "a":
        return _word("a", ("AM", "PM"), 0)
    if letter == "G":
        return _word("G", ("BC", "AD"), 0)
    if letter in "VzXxZO":
        return _zone_step(field)
    if letter not in _NUMBERS:
        raise PatternError(f"the pattern letter {letter!r} is not supported")
    if count > 2 and letter in "dHkhKms":
        raise PatternError(f"the pattern has too many {letter!r}")
    return _number(Field("M" if letter == "L" else letter, count), width_after)


def _number(field: Field, width_after: int) -> _Step:
    letter, count = field.letter, field.count

    def read(reading: _Reading, at: int) -> int:
        most = count if _fixed(field) or letter == "S" else _MOST_DIGITS + width_after
        end = at
        while end < len(reading.text) and end - at < most and reading.text[end] in "0123456789":
            end += 1
        if not _fixed(field) and letter != "S":
            end = max(at + count, end - width_after)
        if end - at < count or end > len(reading.text):
            raise PatternError(f"a number is missing at character {at + 1}")
        digits = reading.text[at:end]
        if not digits.isdigit():
            raise PatternError(f"a number is missing at character {at + 1}")
        value = int(digits.ljust(9, "0")[:9]) if letter == "S" else int(digits)
        _keep(reading, letter, 2000 + value if letter in "yu" and count == 2 else value)
        return end

    return read


def _keep(reading: _Reading, letter: str, value: int) -> None:
    if reading.numbers.setdefault(letter, value) != value:
        raise PatternError(f"two different values for {letter!r}")


def _name(letter: str, names: tuple[str, ...], count: int) -> _Step:
    if count > SHORT + 1:
        raise PatternError(f"names of one letter ({letter * count}) mean nothing certain")
    return _word(letter, names if count > SHORT else tuple(name[:SHORT] for name in names), 1)


def _word(letter: str, words: tuple[str, ...], first: int) -> _Step:
    def read(reading: _Reading, at: int) -> int:
        for value, word in enumerate(words, first):
            if reading.text.startswith(word, at):
                _keep(reading, letter, value)
                return at + len(word)
        raise PatternError(f"one of {', '.join(words)} is missing at character {at + 1}")

    return read


_OFFSETS: Final = {
    ("X", 1): r"Z|([+-])(\d\d)(\d\d)?",
    ("X", 2): r"Z|([+-])(\d\d)(\d\d)",
    ("X", 3): r"Z|([+-])(\d\d):(\d\d)",
    ("x", 1): r"([+-])(\d\d)(\d\d)?",
    ("x", 2): r"([+-])(\d\d)(\d\d)",
    ("x", 3): r"([+-])(\d\d):(\d\d)",
    ("Z", 1): r"([+-])(\d\d)(\d\d)",
    ("Z", 2): r"([+-])(\d\d)(\d\d)",
    ("Z", 3): r"([+-])(\d\d)(\d\d)",
    ("Z", 4): r"GMT(?:([+-])(\d\d):(\d\d))?",
    ("Z", 5): r"Z|([+-])(\d\d):(\d\d)(?::(\d\d))?",
    ("O", 1): r"GMT(?:([+-])(\d{1,2})(?::(\d\d))?)?",
    ("O", 4): r"GMT(?:([+-])(\d\d):(\d\d))?",
}
"""How offsets are spelled, by letter and count."""


def _zone_step(field: Field) -> _Step:
    if field.letter in "Vz":
        if field.letter == "V" and field.count != 2:
            raise PatternError("the zone is VV, two letters")
        return _named_zone
    if (field.letter, field.count) not in _OFFSETS:
        raise PatternError(f"the pattern {field.letter * field.count!r} is not supported")
    spelling = re.compile(_OFFSETS[field.letter, field.count], re.ASCII)

    def read(reading: _Reading, at: int) -> int:
        match = spelling.match(reading.text, at)
        if match is None:
            raise PatternError(f"an offset is missing at character {at + 1}")
        sign, hours, *rest = match.groups()
        reading.zone = UTC if sign is None else offset(sign, hours, *rest)
        if reading.zone is None:
            raise PatternError(f"the offset {match[0]} is too large")
        return match.end()

    return read


def _named_zone(reading: _Reading, at: int) -> int:
    match = _ZONE.match(reading.text, at)
    name = match[0] if match else ""
    reading.zone = zone(name) or zone_by_abbreviation(name)
    if reading.zone is None:
        raise PatternError(f"there is no time zone {name!r}")
    return at + len(name)


def _resolve(reading: _Reading) -> int:
    """The moment that the fields add up to. Without zone it is UTC, without time of day the day's beginning."""
    numbers = reading.numbers
    midnight = _date(numbers)
    if "E" in numbers and midnight.isoweekday() != numbers["E"]:
        raise PatternError("the weekday is another one")
    minute, second = _within(numbers, "m", 0, 59), _within(numbers, "s", 0, 59)
    local = midnight.replace(hour=_hour(numbers), minute=minute, second=second, tzinfo=reading.zone or UTC)
    nanoseconds = numbers.get("n", numbers.get("S", 0))
    return (local - _EPOCH) // timedelta(milliseconds=1) + nanoseconds // 1_000_000


def _date(numbers: dict[str, int]) -> datetime:
    year = numbers.get("u", numbers.get("y"))
    if year is None or not 1 <= year <= 9998 or numbers.get("G", 1) == 0:
        raise PatternError("there is no year from 1 to 9998")
    if "D" in numbers:
        date = datetime(year, 1, 1) + timedelta(days=_within(numbers, "D", 1, 366) - 1)
        if date.year != year:
            raise PatternError("the year has no day 366")
        return date
    if "M" not in numbers or "d" not in numbers:
        raise PatternError("there is no day")
    month, day = _within(numbers, "M", 1, 12), _within(numbers, "d", 1, 31)
    last = (datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day
    # The JDK takes the 31st of a shorter month for its last day.
    return datetime(year, month, min(day, last))


def _hour(numbers: dict[str, int]) -> int:
    if "H" in numbers:
        return _within(numbers, "H", 0, 23)
    if "k" in numbers:
        return _within(numbers, "k", 1, 24) % 24
    for letter, least, most in (("h", 1, 12), ("K", 0, 11)):
        if letter in numbers:
            if "a" not in numbers:
                raise PatternError("AM or PM is missing")
            return _within(numbers, letter, least, most) % 12 + 12 * numbers["a"]
    return 0


def _within(numbers: dict[str, int], letter: str, least: int, most: int) -> int:
    value = numbers.get(letter, least)
    if not least <= value <= most:
        raise PatternError(f"{value} is not from {least} to {most}")
    return value
