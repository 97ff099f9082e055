"""`parse_time` and `time_to_epoch` (developer guide: "Functions")."""

import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from fogbank.sql.coercion import text, whole_number
from fogbank.sql.functions.function import Function
from fogbank.sql.times import jdk, joda
from fogbank.sql.times.patterns import PatternError
from fogbank.sql.times.zones import zone
from fogbank.sql.values import UNDEFINED, Value
from fogbank.sql.version import Version

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_PATTERN: Final = 200
"""Characters of a pattern; longer ones can only be a mistake."""

_KEPT: Final = 256
"""Patterns kept ready, the least used dropped first."""


@functools.lru_cache(maxsize=_KEPT)
def _formatter(pattern: str) -> Callable[[datetime], str]:
    _check_length(pattern)
    return joda.formatter(pattern)


@functools.lru_cache(maxsize=_KEPT)
def _parser(pattern: str) -> Callable[[str], int]:
    _check_length(pattern)
    return jdk.parser(pattern)


def _check_length(pattern: str) -> None:
    if len(pattern) > _MAX_PATTERN:
        raise PatternError(f"the pattern is longer than {_MAX_PATTERN} characters")


def _parse_time(pattern: Value, milliseconds: Value, zone_name: Value = "UTC") -> Value:
    """The moment as text. The name is AWS's; what it does is format."""
    wanted, moment, name = text(pattern), whole_number(milliseconds), text(zone_name)
    if wanted is None or moment is None or name is None:
        return UNDEFINED
    place = zone(name)
    if place is None:
        return UNDEFINED
    try:
        return _formatter(wanted)((_EPOCH + timedelta(milliseconds=moment)).astimezone(place))
    except (PatternError, OverflowError, ValueError):
        return UNDEFINED


def _time_to_epoch(value: Value, pattern: Value) -> Value:
    written, wanted = text(value), text(pattern)
    if written is None or wanted is None:
        return UNDEFINED
    try:
        return _parser(wanted)(written)
    except (PatternError, OverflowError, ValueError):
        return UNDEFINED


def _check_parse_time(pattern: Value, _: Value, zone_name: Value = UNDEFINED) -> str | None:
    if isinstance(zone_name, str) and zone(zone_name) is None:
        return f"there is no time zone {zone_name!r}"
    return _complaint(_formatter, pattern)


def _check_time_to_epoch(_: Value, pattern: Value) -> str | None:
    return _complaint(_parser, pattern)


def _complaint(compile_pattern: Callable[[str], object], pattern: Value) -> str | None:
    if isinstance(pattern, str):
        try:
            compile_pattern(pattern)
        except PatternError as error:
            return str(error)
    return None


FUNCTIONS: Final = (
    Function("parse_time", _parse_time, 2, 3, Version.V2016_03_23, check=_check_parse_time),
    Function("time_to_epoch", _time_to_epoch, 2, 2, Version.V2016_03_23, check=_check_time_to_epoch),
)
