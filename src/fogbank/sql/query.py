"""A compiled statement, ready for any number of messages."""

from typing import Final, TypeAlias

import msgspec

from fogbank import topics
from fogbank.sql.compiler import Compiler
from fogbank.sql.errors import SqlError
from fogbank.sql.event import Event
from fogbank.sql.explain import Explainer, Explanation
from fogbank.sql.nodes import Statement
from fogbank.sql.outside.answers import Answers, Known, Pending
from fogbank.sql.outside.errors import OutsideFailed
from fogbank.sql.parser import known_version, parse_expression
from fogbank.sql.scope import NO_VARIABLES, Evaluate, Scope, TooMuchWork
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
    JSON, and AWS serialises it to nothing. `failure` says why the statement could not be evaluated to its end: a
    function got no answer from the world, say. The rule ends there for this message, without any action.
    """

    fires: bool
    output: bytes | None = None
    failure: str | None = None


_SILENT: Final = Outcome(False)

# Neither payloads nor expressions nest deep, but nested SELECTs can pile them up on one another.
_TOO_DEEP: Final = Outcome(False, failure="what the statement makes of the message nests too deep")
_TOO_MUCH: Final = Outcome(False, failure="the statement's nested SELECTs take too much work for this message")


class Query:
    """Made by `compile_statement`. It keeps nothing between messages, and never raises but where it says so."""

    __slots__ = ("_assignments", "_compiler", "_everything", "_explainer", "_select", "_version", "_where", "statement")

    def __init__(self, statement: Statement) -> None:
        """Raises `SqlError` where the statement names what is not there."""
        self.statement = statement
        self._version = statement.version
        self._compiler = compiler = Compiler(statement.text, statement.version)
        _check_filter(statement)
        self._assignments = _compile_assignments(compiler, statement)
        self._where = compiler.compile(statement.where) if statement.where is not None else None
        self._select = compile_selection(compiler, statement.selection)
        self._everything = is_everything(statement.selection)
        self._explainer: Explainer | None = None

    @property
    def topic_filter(self) -> str | None:
        """The filter of FROM; None where there is none, which is fine for Basic Ingest alone."""
        return self.statement.topic_filter

    @property
    def version(self) -> Version:
        return self._version

    @property
    def asks(self) -> tuple[str, ...]:
        """The functions that ask the world, each once; with any of them the query needs `evaluate_asking`."""
        return tuple(sorted(set(self._compiler.asks.values())))

    @property
    def roles(self) -> tuple[str, ...]:
        """The ARNs of the roles that these functions ask with."""
        return tuple(sorted(self._compiler.roles))

    def evaluate(self, event: Event, known: Known | None = None) -> Outcome:
        """Whether the statement fires for the message, and with which output. FROM is the router's part.

        Raises `OutsideFailed` where the query `asks` something that `known` does not tell.
        """
        try:
            if self._assignments:
                scope = _scope(event, self._version, self._assignments, known)
            else:
                scope = Scope(event, self._version, event.value(self._version), NO_VARIABLES, known)
            if self._where is not None and self._where(scope) is not True:
                return _SILENT
            if self._everything and not isinstance(scope.element, dict):
                return Outcome(True, event.payload)
            output = self._select(scope)
            return Outcome(True, None if output is UNDEFINED else to_json(output))
        except RecursionError:
            return _TOO_DEEP
        except TooMuchWork:
            return _TOO_MUCH

    async def evaluate_asking(self, event: Event, answers: Answers) -> Outcome:
        """`evaluate`, asking the world for what the statement needs of it; failures are in the outcome."""
        try:
            return await answers.complete(lambda known: self.evaluate(event, known))
        except OutsideFailed as error:
            return Outcome(False, failure=str(error))

    def explain(self, event: Event, known: Known | None = None) -> Explanation:
        """Why the statement fires for the message or not, FROM included. Costs more than `evaluate`.

        `known` is what the world answered when the message was evaluated; it is not asked anything again.
        """
        filter_ = self.statement.topic_filter
        if filter_ is not None and not event.basic_ingest and not topics.matches(filter_, event.topic):
            return Explanation(False, f"the topic {event.topic} does not match FROM '{filter_}'")
        if self._explainer is None:
            self._explainer = Explainer(self._compiler, self.statement)
        try:
            return self._explainer.explain(_scope(event, self._version, self._assignments, known))
        except RecursionError:
            return Explanation(False, _TOO_DEEP.failure or "")
        except TooMuchWork:
            return Explanation(False, _TOO_MUCH.failure or "")
        except OutsideFailed as error:
            return Explanation(False, str(error))
        except Pending as pending:
            return Explanation(False, f"{pending.request.function}() has not been asked for this message")


def compile_statement(statement: Statement) -> Query:
    """The statement as a query, or `SqlError` where it names what is not there."""
    return Query(statement)


class Expression:
    """One expression of a substitution template, made by `compile_expression`."""

    __slots__ = ("_assignments", "_evaluate", "_version", "asks", "roles")

    def __init__(
        self,
        evaluate: Evaluate,
        version: Version,
        assignments: list[Assignment],
        asks: tuple[str, ...],
        roles: tuple[str, ...],
    ) -> None:
        self._evaluate, self._version, self._assignments = evaluate, version, assignments
        self.asks = asks
        """The functions that ask the world, those of SET included; with any of them it needs `evaluate_asking`."""
        self.roles = roles
        """The ARNs of the roles that functions of the expression itself ask with."""

    def evaluate(self, event: Event, known: Known | None = None) -> Value:
        """The value for the message. `render` makes of it the text that a template has in its place.

        Raises `OutsideFailed` where the expression `asks` something that `known` does not tell.
        """
        try:
            return self._evaluate(_scope(event, self._version, self._assignments, known))
        except (RecursionError, TooMuchWork):
            return UNDEFINED

    async def evaluate_asking(self, event: Event, answers: Answers) -> Value:
        """`evaluate`, asking the world for what the expression needs of it. Raises `OutsideFailed`."""
        return await answers.complete(lambda known: self.evaluate(event, known))


def compile_expression(
    text: str, version: str = Version.V2015_10_08, *, statement: Statement | None = None
) -> Expression:
    """The expression `text` of a `${text}`, or `SqlError`. The variables that SET of `statement` assigns are known."""
    compiler = Compiler(text, known_version(version, text), template=True)
    node = parse_expression(text)
    assignments: list[Assignment] = []
    asks: set[str] = set()
    if statement is not None:
        of_statement = Compiler(statement.text, compiler.version)
        assignments = _compile_assignments(of_statement, statement)
        asks.update(of_statement.asks.values())
        for name, _ in assignments:
            compiler.declare(name)
    evaluate = compiler.compile(node)
    asks.update(compiler.asks.values())
    return Expression(evaluate, compiler.version, assignments, tuple(sorted(asks)), tuple(sorted(compiler.roles)))


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


def _scope(event: Event, version: Version, assignments: list[Assignment], known: Known | None) -> Scope:
    """The scope of a whole message, with what SET assigns."""
    variables: dict[str, Value] = {}
    scope = Scope(event, version, event.value(version), variables, known)
    room = MAX_VARIABLES_SIZE
    for name, evaluate in assignments:
        value = evaluate(scope)
        if value is not UNDEFINED:
            room -= len(to_json(value))
        variables[name] = value if room >= 0 else UNDEFINED
    return scope


def _check_filter(statement: Statement) -> None:
    if statement.topic_filter is None:
        return
    try:
        topics.check_filter(statement.topic_filter)
    except topics.InvalidTopic as error:
        raise SqlError.at(f"FROM: {error}", statement.text, statement.filter_at) from None
