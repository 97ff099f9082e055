"""A compiled statement, ready for any number of messages."""

from typing import Final, TypeAlias

import msgspec

from fogbank import topics
from fogbank.sql.compiler import Compiler
from fogbank.sql.errors import SqlError
from fogbank.sql.event import Event
from fogbank.sql.explain import Explanation, WhereExplainer
from fogbank.sql.nodes import Statement
from fogbank.sql.parser import known_version, parse_expression
from fogbank.sql.scope import Evaluate, Scope
from fogbank.sql.selection import compile_selection, is_everything
from fogbank.sql.values import UNDEFINED, Value, to_json
from fogbank.sql.version import Version

MAX_VARIABLES: Final = 10
MAX_VARIABLE_NAME: Final = 64
"""Characters of a variable's name (developer guide: "SET")."""

MAX_VARIABLES_SIZE: Final = 128 * 1024
"""Bytes that the values of all variables may take as JSON; those beyond are Undefined (developer guide: "SET")."""

Assignment: TypeAlias = tuple[str, Evaluate]


class Outcome(msgspec.Struct, frozen=True):
    """What a statement came to. `output` is what actions get, byte for byte.

    `output` is None where the statement does not fire, and where SELECT VALUE selects what is Undefined: that has no
    JSON, and AWS serialises it to nothing.
    """

    fires: bool
    output: bytes | None = None


_SILENT: Final = Outcome(False)


class Query:
    """Made by `compile_statement`. Evaluation neither raises nor keeps anything between messages."""

    __slots__ = ("_assignments", "_compiler", "_everything", "_explainer", "_select", "_where", "statement")

    def __init__(self, statement: Statement) -> None:
        """Raises `SqlError` where the statement names what is not there."""
        self.statement = statement
        self._compiler = compiler = Compiler(statement.text, statement.version)
        _check_filter(statement)
        self._assignments = _compile_assignments(compiler, statement)
        self._where = compiler.compile(statement.where) if statement.where is not None else None
        self._select = compile_selection(compiler, statement.selection)
        self._everything = is_everything(statement.selection)
        self._explainer: WhereExplainer | None = None

    @property
    def topic_filter(self) -> str | None:
        """The filter of FROM; None where there is none, which is fine for Basic Ingest alone."""
        return self.statement.topic_filter

    @property
    def version(self) -> Version:
        return self.statement.version

    def evaluate(self, event: Event) -> Outcome:
        """Whether the statement fires for the message, and with which output. FROM is the router's part."""
        try:
            scope = _scope(event, self.statement.version, self._assignments)
            if self._where is not None and self._where(scope) is not True:
                return _SILENT
            if self._everything and not isinstance(scope.element, dict):
                return Outcome(True, event.payload)
            output = self._select(scope)
            return Outcome(True, None if output is UNDEFINED else to_json(output))
        except RecursionError:
            # Neither payloads nor expressions nest deep, but nested SELECTs can pile them up on one another.
            return _SILENT

    def explain(self, event: Event) -> Explanation:
        """Why the statement fires for the message or not, FROM included. Costs more than `evaluate`."""
        filter_ = self.statement.topic_filter
        if filter_ is not None and not event.basic_ingest and not topics.matches(filter_, event.topic):
            return Explanation(False, f"the topic {event.topic} does not match FROM '{filter_}'")
        if self.statement.where is None:
            return Explanation(True, "there is no WHERE clause")
        if self._explainer is None:
            self._explainer = WhereExplainer(self._compiler, self.statement.where)
        try:
            return self._explainer.explain(_scope(event, self.statement.version, self._assignments))
        except RecursionError:
            return Explanation(False, "what the statement makes of the message nests too deep")


def compile_statement(statement: Statement) -> Query:
    """The statement as a query, or `SqlError` where it names what is not there."""
    return Query(statement)


class Expression:
    """One expression of a substitution template, made by `compile_expression`."""

    __slots__ = ("_assignments", "_evaluate", "_version")

    def __init__(self, evaluate: Evaluate, version: Version, assignments: list[Assignment]) -> None:
        self._evaluate, self._version, self._assignments = evaluate, version, assignments

    def evaluate(self, event: Event) -> Value:
        """The value for the message. `render` makes of it the text that a template has in its place."""
        try:
            return self._evaluate(_scope(event, self._version, self._assignments))
        except RecursionError:
            return UNDEFINED


def compile_expression(
    text: str, version: str = Version.V2015_10_08, *, statement: Statement | None = None
) -> Expression:
    """The expression `text` of a `${text}`, or `SqlError`. The variables that SET of `statement` assigns are known."""
    compiler = Compiler(text, known_version(version, text))
    assignments: list[Assignment] = []
    if statement is not None:
        assignments = _compile_assignments(Compiler(statement.text, compiler.version), statement)
        for name, _ in assignments:
            compiler.declare(name)
    return Expression(compiler.compile(parse_expression(text)), compiler.version, assignments)


def _compile_assignments(compiler: Compiler, statement: Statement) -> list[Assignment]:
    """SET, in order: a value sees the variables before it. Variables are assigned once (developer guide: "SET")."""
    compiled: list[Assignment] = []
    for assignment in statement.assignments:
        compiler.require("SET", assignment.at)
        if len(compiled) == MAX_VARIABLES:
            compiler.fail(f"SET assigns more than {MAX_VARIABLES} variables", assignment.at)
        if len(assignment.name) > MAX_VARIABLE_NAME:
            compiler.fail(f"the name of a variable is longer than {MAX_VARIABLE_NAME} characters", assignment.at)
        if any(name == assignment.name for name, _ in compiled):
            compiler.fail(f"@{assignment.name} is assigned twice; variables never change", assignment.at)
        compiled.append((assignment.name, compiler.compile(assignment.value)))
        compiler.declare(assignment.name)
    return compiled


def _scope(event: Event, version: Version, assignments: list[Assignment]) -> Scope:
    """The scope of a whole message, with what SET assigns."""
    scope = Scope(event, version, event.value(version), {})
    room = MAX_VARIABLES_SIZE
    for name, evaluate in assignments:
        value = evaluate(scope)
        if value is not UNDEFINED:
            room -= len(to_json(value))
        scope.variables[name] = value if room >= 0 else UNDEFINED
    return scope


def _check_filter(statement: Statement) -> None:
    if statement.topic_filter is None:
        return
    try:
        topics.check_filter(statement.topic_filter)
    except topics.InvalidTopic as error:
        raise SqlError.at(f"FROM: {error}", statement.text, statement.filter_at) from None
