"""Where a value differs from what was expected of it: as values, not as text."""

from decimal import Decimal
from typing import Any, Final

from fogbank.sql.operators import equal
from fogbank.sql.values import UNDEFINED, to_json

_CLOSE: Final = Decimal("1E-14")
"""Doubles may differ in their last digits."""

_LONGEST: Final = 200
"""Characters of a value that are shown."""


def difference(expected: Any, actual: Any, *, approximate: bool = False, at: str = "") -> str | None:
    """The first difference as a sentence, None where there is none. `at` is the path of the values.

    `10` is `10.0`, and the order of members does not matter. Decimals agree to 14 significant digits; `approximate` to
    the decimal places that the expected one has.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _of_objects(expected, actual, approximate, at)
    if isinstance(expected, list) and isinstance(actual, list):
        return _of_arrays(expected, actual, approximate, at)
    if isinstance(expected, Decimal) and isinstance(actual, (Decimal, int)) and not isinstance(actual, bool):
        same = _close(expected, Decimal(actual), approximate)
    else:
        same = equal(expected, actual) is True
    return None if same else f"{_place(at)}{_show(expected)} was expected, {_show(actual)} is there"


def _of_objects(expected: dict[str, Any], actual: dict[str, Any], approximate: bool, at: str) -> str | None:
    for name, member in expected.items():
        found = difference(
            member, actual.get(name, UNDEFINED), approximate=approximate, at=f"{at}.{name}" if at else name
        )
        if found is not None:
            return found
    more = [name for name in actual if name not in expected]
    return f"{_place(at)}nobody expected {', '.join(more)}" if more else None


def _of_arrays(expected: list[Any], actual: list[Any], approximate: bool, at: str) -> str | None:
    if len(expected) != len(actual):
        return f"{_place(at)}{len(expected)} items were expected, {len(actual)} are there"
    for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
        found = difference(one, other, approximate=approximate, at=f"{at}[{index}]")
        if found is not None:
            return found
    return None


def _close(expected: Decimal, actual: Decimal, approximate: bool) -> bool:
    exponent = expected.as_tuple().exponent
    assert isinstance(exponent, int), "JSON has neither NaN nor infinity"
    allowed = Decimal(5).scaleb(exponent - 1) if approximate else _CLOSE * abs(expected)
    return abs(expected - actual) <= allowed


def _place(at: str) -> str:
    return f"{at}: " if at else ""


def _show(value: Any) -> str:
    text = "nothing" if value is UNDEFINED else to_json(value).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
