"""Worked cases: a statement, a message, and what is to come of it. `fogbank sql test` runs lists of them.

A case compares values (see `difference`), not bytes, unless it says `expected_raw` or `expected_base64`.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import msgspec

from fogbank.errors import FogbankError
from fogbank.sql.difference import difference
from fogbank.sql.event import Event, MqttProperties
from fogbank.sql.explain import Explanation
from fogbank.sql.functions.catalogue import functions
from fogbank.sql.nodes import Statement
from fogbank.sql.outside.answers import CannedAnswers, Known
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.outside.requests import Object
from fogbank.sql.parser import parse
from fogbank.sql.query import Outcome, Query, compile_statement
from fogbank.sql.values import UNDEFINED, from_json, to_json
from fogbank.sql.version import Version

TEMPLATE: Final = "substitution-template"

RenderTemplate: TypeAlias = Callable[[str, Statement, Event, Known], str]
"""Renders the text with `${...}` in it for the event, with what is known; the language has expressions only."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
    client_id: str | None = None
    principal: str = ""
    account_id: str = ""
    source_ip: str | None = None
    timestamp: int = 0
    outside: dict[str, msgspec.Raw] = {}
    """What services answer, by the function that asks them: `{"get_thing_shadow": {"state": ..}}`.

    A function without an answer fails, which ends the rule: the statement does not fire.
    """
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
        for encoded in (self.payload_base64, self.expected_base64):
            base64.b64decode(encoded or "", validate=True)
        canned(self.outside, self.version)

    def event(self) -> Event:
        """The message of the case."""
        return Event(
            topic=self.topic,
            payload=self._payload(),
            client_id=self.client_id,
            principal=self.principal,
            timestamp_ms=self.timestamp,
            account_id=self.account_id,
            source_ip=self.source_ip,
            mqtt=self.mqtt,
        )

    def _payload(self) -> bytes:
        if self.payload_base64 is not None:
            return base64.b64decode(self.payload_base64)
        return bytes(self.payload) if self.payload_raw is None else self.payload_raw.encode()


class Verdict(msgspec.Struct, frozen=True):
    """How a case went, in words for a person."""

    passed: bool
    expected: str
    actual: str
    difference: str = ""
    """The first place where the two differ, if they have places."""


def read_cases(text: bytes) -> list[Case]:
    """The cases in a JSON array, or `msgspec.ValidationError`, `msgspec.DecodeError`."""
    return msgspec.json.decode(text, type=list[Case])


def canned(answers: Mapping[str, msgspec.Raw], version: Version) -> CannedAnswers:
    """Answers written as JSON: the bodies that the services would send. That of S3 is base64, for `decode`.

    Raises ValueError for functions that ask nobody, and for what is no base64.
    """
    bodies = {name.lower(): bytes(answer) for name, answer in answers.items()}
    if unknown := sorted(name for name in bodies if not _asks(name)):
        raise ValueError(f"{', '.join(unknown)}: no such function asks another service")
    if Object.function in bodies:
        bodies[Object.function] = base64.b64decode(
            msgspec.json.decode(bodies[Object.function], type=str), validate=True
        )
    return CannedAnswers(bodies, version)


def _asks(name: str) -> bool:
    function = functions().get(name)
    return function is not None and (function.asks or (function.longer is not None and function.longer.asks))


def try_out(query: Query, event: Event, known: Known) -> tuple[Explanation, Outcome]:
    """What comes of the event, FROM included, and why. A function that got no answer is a reason, not an error."""
    explanation = query.explain(event, known if query.asks else None)
    if not explanation.fires:
        return explanation, Outcome(False)
    try:
        outcome = query.evaluate(event, known if query.asks else None)
    except OutsideFailed as error:
        outcome = Outcome(False, failure=str(error))
    return (explanation if outcome.failure is None else Explanation(False, outcome.failure)), outcome


def run_case(case: Case, render_template: RenderTemplate) -> Verdict:
    """Evaluate the case and compare."""
    expected = _describe_expectation(case)
    try:
        statement = parse(case.sql, case.version)
        query = compile_statement(statement)
        event, known = case.event(), canned(case.outside, case.version)
        if case.kind == TEMPLATE:
            return _compare(case, to_json(render_template(case.template, statement, event, known)))
        explanation, outcome = try_out(query, event, known)
    except FogbankError as error:
        return Verdict(False, expected, f"an error: {error}")
    if not outcome.fires:
        return Verdict(case.fires is False, expected, f"does not fire: {explanation.sentence}")
    if case.fires is False:
        return Verdict(False, expected, _describe(outcome.output))
    return _compare(case, outcome.output)


def _compare(case: Case, output: bytes | None) -> Verdict:
    found: str | None = None
    if case.expected_base64 is not None:
        passed = output == base64.b64decode(case.expected_base64)
    elif case.expected_raw is not None:
        passed = (output or b"") == case.expected_raw.encode()
    elif bytes(case.expected):
        wanted = from_json(bytes(case.expected), case.version)
        actual = UNDEFINED if output is None else from_json(output, case.version)
        found = difference(wanted, actual, approximate=case.approximate or "approx" in case.note)
        passed = found is None
        if type(wanted) is not type(actual) or not isinstance(wanted, (dict, list)):
            found = None  # There are no places within to tell of.
    else:
        passed = True
    return Verdict(passed, _describe_expectation(case), _describe(output), found or "")


def _describe_expectation(case: Case) -> str:
    if case.fires is False:
        return "does not fire"
    if case.expected_base64 is not None:
        return f"base64 {case.expected_base64}"
    if case.expected_raw is not None:
        return case.expected_raw
    return msgspec.json.format(bytes(case.expected), indent=-1).decode() if bytes(case.expected) else "fires"


def _describe(output: bytes | None) -> str:
    if output is None:
        return "undefined"
    try:
        return output.decode()
    except UnicodeDecodeError:
        return f"base64 {base64.b64encode(output).decode()}"
