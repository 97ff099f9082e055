"""Worked cases: a statement, a message, and what is to come of it. `fogbank sql test` runs lists of them.

A case compares values, not bytes, unless it says `expected_raw` or `expected_base64`: `10` is `10.0`, the order of
members does not matter, and Decimals are equal to 14 significant digits, since doubles may differ in the last ones.
"""

import base64
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from fogbank.errors import FogbankError
from fogbank.sql.event import Event, MqttProperties
from fogbank.sql.nodes import Statement
from fogbank.sql.operators import equal
from fogbank.sql.parser import parse
from fogbank.sql.query import compile_statement
from fogbank.sql.values import UNDEFINED, from_json, to_json
from fogbank.sql.version import Version

_CLOSE: Final = Decimal("1E-14")

TEMPLATE: Final = "substitution-template"

RenderTemplate: TypeAlias = Callable[[str, Statement, Event], str]
"""Renders the text with `${...}` in it for the event; the language has expressions only."""


class Case(msgspec.Struct, frozen=True):
    """One case. The message's payload is the bytes of `payload` as they stand, or of one of the other two.

    A case has to expect something: one of `expected`, `expected_raw`, `expected_base64` or `fires`.
    """

    sql: str
    topic: str
    payload: msgspec.Raw = msgspec.Raw()
    payload_raw: str | None = None
    payload_base64: str | None = None
    version: Version = Version.V2016_03_23
    mqtt: MqttProperties = MqttProperties()
    fires: bool | None = None
    """None as true: the statement is to fire."""
    expected: msgspec.Raw = msgspec.Raw()
    expected_raw: str | None = None
    expected_base64: str | None = None
    kind: str = "statement"
    template: str = ""
    """Of the kind `substitution-template`: the text to render, `expected` being its string."""
    approximate: bool = False
    """Whether numbers need only agree to the decimal places that `expected` has."""
    source: str = ""
    confidence: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.fires is None and not bytes(self.expected) and self.expected_raw is self.expected_base64 is None:
            raise ValueError("the case says neither what is expected nor whether it fires")

    def event(self) -> Event:
        """The message of the case."""
        return Event(topic=self.topic, payload=self._payload(), mqtt=self.mqtt)

    def _payload(self) -> bytes:
        if self.payload_base64 is not None:
            return base64.b64decode(self.payload_base64)
        return bytes(self.payload) if self.payload_raw is None else self.payload_raw.encode()


class Verdict(msgspec.Struct, frozen=True):
    """How a case went, in words for a person."""

    passed: bool
    expected: str
    actual: str


def read_cases(text: bytes) -> list[Case]:
    """The cases in a JSON array, or `msgspec.ValidationError`, `msgspec.DecodeError`."""
    return msgspec.json.decode(text, type=list[Case])


def run_case(case: Case, render_template: RenderTemplate) -> Verdict:
    """Evaluate the case and compare."""
    expected = _describe_expectation(case)
    try:
        statement = parse(case.sql, case.version)
        query = compile_statement(statement)
        event = case.event()
        if case.kind == TEMPLATE:
            rendered = render_template(case.template, statement, event)
            return Verdict(_agrees(case, to_json(rendered)), expected, to_json(rendered).decode())
        explanation = query.explain(event)
        outcome = query.evaluate(event)
    except FogbankError as error:
        return Verdict(False, expected, f"an error: {error}")
    if not (explanation.fires and outcome.fires):
        return Verdict(case.fires is False, expected, f"does not fire: {explanation.sentence}")
    return Verdict(case.fires is not False and _agrees(case, outcome.output), expected, _describe(outcome.output))


def _agrees(case: Case, output: bytes | None) -> bool:
    if case.expected_base64 is not None:
        return output == base64.b64decode(case.expected_base64)
    if case.expected_raw is not None:
        return (output or b"") == case.expected_raw.encode()
    if not bytes(case.expected):
        return True
    actual = UNDEFINED if output is None else from_json(output, case.version)
    return _alike(from_json(bytes(case.expected), case.version), actual, case.approximate or "approx" in case.note)


def _alike(expected: Any, actual: Any, approximate: bool) -> bool:
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(
            _alike(member, actual[name], approximate) for name, member in expected.items()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(
            _alike(*pair, approximate) for pair in zip(expected, actual, strict=True)
        )
    if isinstance(expected, Decimal) and isinstance(actual, (Decimal, int)) and not isinstance(actual, bool):
        return _close(expected, Decimal(actual), approximate)
    return equal(expected, actual) is True


def _close(expected: Decimal, actual: Decimal, approximate: bool) -> bool:
    if approximate:
        return actual.quantize(expected) == expected
    return abs(expected - actual) <= _CLOSE * abs(expected)


def _describe_expectation(case: Case) -> str:
    if case.fires is False:
        return "does not fire"
    if case.expected_base64 is not None:
        return f"base64 {case.expected_base64}"
    if case.expected_raw is not None:
        return case.expected_raw
    return bytes(case.expected).decode() or "fires"


def _describe(output: bytes | None) -> str:
    if output is None:
        return "undefined"
    try:
        return output.decode()
    except UnicodeDecodeError:
        return f"base64 {base64.b64encode(output).decode()}"
