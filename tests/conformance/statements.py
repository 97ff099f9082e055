"""The normative statements of both standards, and how a test says which of them it holds.

`statements_3_1_1.toml` and `statements_5_0.toml` have every statement that the standards number (their appendices B),
in our own words, those that bind no server with the reason. What holds the others is not written there but at the
tests, by `@holds`: so a test that is renamed or removed cannot stay in the table. `docs/conformance.md` is written
from both.
"""

import importlib
import inspect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
FILES = {"3.1.1": "statements_3_1_1.toml", "5.0": "statements_5_0.toml"}
Key = tuple[str, str]
"""A standard and the number of one of its statements."""
Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Statement:
    """One `[MQTT-x.y.z-n]` of one standard."""

    standard: str
    number: str
    """As in `[MQTT-3.1.0-1]`, without what is around it."""
    says: str
    elsewhere: str | None
    """The test outside this directory that holds it: `path::name`."""
    not_applicable: str | None
    """Why it binds no server, or not this one."""


def holds(*, v311: str = "", v5: str = "") -> Callable[[Test], Test]:
    """This test holds these statements: their numbers, with blanks between them."""
    named = {"3.1.1": v311.split(), "5.0": v5.split()}

    def mark(test: Test) -> Test:
        test.__dict__["statements"] = named
        return test

    return mark


def deviates(rule: str, *, v311: str = "", v5: str = "") -> Callable[[Test], Test]:
    """This test shows where `--limits aws` departs from these statements, by this rule of AWS.

    Without statements: it has a limit that the standard leaves to servers.
    """
    named = {"3.1.1": v311.split(), "5.0": v5.split()}

    def mark(test: Test) -> Test:
        test.__dict__["deviation"] = rule, named
        return test

    return mark


def statements() -> dict[Key, Statement]:
    """Every statement by its standard and number, in the standards' order."""
    found = {}
    for standard, name in FILES.items():
        for section, rows in tomllib.loads((HERE / name).read_text()).items():
            for key, row in rows.items():
                number = f"{section}-{key}"
                says, why = (row, None) if isinstance(row, str) else (row["says"], row.get("not_applicable"))
                other = None if isinstance(row, str) else row.get("test")
                found[standard, number] = Statement(standard, number, says, other, why)
    return found


def _tests() -> Iterator[tuple[str, Callable[..., Any]]]:
    for path in sorted(HERE.glob("test_*.py")):
        for name, thing in vars(importlib.import_module(f"tests.conformance.{path.stem}")).items():
            if name.startswith("test_") and inspect.isfunction(thing):
                yield f"{path.name}::{name}", thing


def held() -> dict[Key, list[str]]:
    """What `@holds` says: the tests of each statement, as `file.py::name`."""
    found: dict[Key, list[str]] = {}
    for place, test in _tests():
        for standard, numbers in test.__dict__.get("statements", {}).items():
            for number in numbers:
                found.setdefault((standard, number), []).append(place)
    return found


def paho_suite() -> list[tuple[str, str, str]]:
    """Tests of the Paho interoperability suite that do not pass: limits, `module::test`, and why."""
    by_limits = tomllib.loads((HERE / "paho_suite.toml").read_text())
    return [
        (limits, f"{module}::{test}", why)
        for limits, modules in by_limits.items()
        for module, tests in modules.items()
        for test, why in tests.items()
    ]


def deviations() -> list[tuple[str, str, list[Key]]]:
    """What `@deviates` says: AWS's rule, the test that shows it, the statements it departs from."""
    found = []
    for place, test in _tests():
        if (deviation := test.__dict__.get("deviation")) is not None:
            rule, named = deviation
            found.append((rule, place, [(standard, one) for standard, numbers in named.items() for one in numbers]))
    return found
