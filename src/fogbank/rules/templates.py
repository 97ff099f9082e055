"""Substitution templates: `${expression}` in the parameters of an action.

Developer Guide, "Substitution templates": any expression of the SQL language, evaluated against the original message
and not against the result of SELECT; what SET assigns can be used, and several may stand in one text. What is Undefined
becomes an empty string (UNVERIFIED per action). They are compiled when a rule is created: a wrong one is refused there.
"""

from fogbank.rules.errors import SqlParse
from fogbank.sql import Event, Expression, Known, SqlError, Statement, compile_expression, render

_OPEN = "${"


class Template:
    """A text with expressions in it, ready to be rendered for each message."""

    __slots__ = ("_parts", "_single", "asks", "constant", "roles", "text")

    def __init__(self, text: str, statement: Statement, field: str) -> None:
        """For a rule with that statement; `field` says in errors which parameter it is. Raises SqlParse."""
        self.text = text
        self._parts = tuple(_split(text, statement, field))
        expressions = [part for part in self._parts if not isinstance(part, str)]
        self.constant = not expressions
        """Whether it holds no expression and is the same for all messages."""
        self._single = _around(self._parts, expressions[0]) if len(expressions) == 1 else None
        """What precedes the only expression, that, and what follows it: most templates are so, and quicker that way."""
        self.asks = frozenset(function for part in expressions for function in part.asks)
        """The functions in it that ask the world."""
        self.roles = frozenset(role for part in expressions for role in part.roles)
        """The ARNs of the roles that these ask with."""

    def render(self, event: Event, known: Known | None = None) -> str:
        """The text for one message. Raises OutsideFailed where it asks what `known` does not tell."""
        if self.constant:
            return self.text
        if self._single is not None:
            before, expression, after = self._single
            value = expression.evaluate(event, known)
            return f"{before}{value if type(value) is str else render(value)}{after}"
        return "".join(part if isinstance(part, str) else render(part.evaluate(event, known)) for part in self._parts)


def _around(parts: tuple[str | Expression, ...], expression: Expression) -> tuple[str, Expression, str]:
    """The text before and after the only expression of a template."""
    at = parts.index(expression)
    return "".join(map(str, parts[:at])), expression, "".join(map(str, parts[at + 1 :]))


def _split(text: str, statement: Statement, field: str) -> list[str | Expression]:
    parts: list[str | Expression] = []
    at = 0
    while (begin := text.find(_OPEN, at)) >= 0:
        end = _closing_brace(text, begin + len(_OPEN))
        if end < 0:
            raise SqlParse(f"{field} {text!r}: the substitution template at column {begin + 1} has no closing brace")
        if begin > at:
            parts.append(text[at:begin])
        expression = text[begin + len(_OPEN) : end]
        try:
            parts.append(compile_expression(expression, statement.version, statement=statement))
        except SqlError as error:
            raise SqlParse(f"{field} {text!r}: in ${{{expression}}}: {error}") from error
        at = end + 1
    if at < len(text) or not parts:
        parts.append(text[at:])
    return parts


def _closing_brace(text: str, at: int) -> int:
    """Where the expression that begins at `at` ends, or -1. Braces in strings and of object literals are its own."""
    depth = 0
    quote = ""
    for position in range(at, len(text)):
        character = text[position]
        if quote:
            # A doubled quote closes the string and opens it again, which comes to the same.
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return position
            depth -= 1
    return -1
