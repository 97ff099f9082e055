"""Text to nodes, by the grammar in `grammar.lark`. Syntax errors say what was found and what was expected."""

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from fogbank.sql.errors import SqlError
from fogbank.sql.nodes import Expression, Statement
from fogbank.sql.version import Version

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_LENGTH: Final = 64 * 1024
"""Characters of a statement. AWS names no limit; a request to its API could not be longer by much."""

_WORDS: Final = {
    "NAME": "a name",
    "VARIABLE": "an @variable",
    "STRING": "a string",
    "TOPIC": "a topic filter",
    "RPAR": "')'",
    "RSQB": "']'",
    "RBRACE": "'}'",
    "COMMA": "','",
    "COLON": "':'",
    "SELECT_VALUE": "SELECT VALUE",
    "$END": "the end",
}

_BEGIN_EXPRESSION: Final = frozenset(
    ("NAME", "VARIABLE", "STAR", "NUMBER", "STRING", "TRUE", "FALSE", "NULL", "MINUS", "NOT", "CASE", "CAST", "LBRACE")
)
_OPERATORS: Final = frozenset(
    ("STAR", "SLASH", "PERCENT", "PLUS", "MINUS", "COMPARISON", "EQUAL", "IN", "AND", "OR"),
)
_GO_WITHOUT_SAYING: Final = frozenset(("LPAR", "LSQB", "DOT", "EXISTS"))

_NO_INDEX: Final = "[ cannot follow here; the item of an array is read with get(array, index)"


def parse(text: str, version: str = Version.V2015_10_08) -> Statement:
    """The statement in `text`, or `SqlError`. What it names is checked when it is compiled.

    `version` is an `awsIotSqlVersion`; 2015-10-08 is what AWS takes where a rule names none.
    """
    statement: Statement = _parse(text, known_version(version, text), "statement")
    return statement


def parse_expression(text: str) -> Expression:
    """The expression in `text`, as it stands in `${...}`, or `SqlError`."""
    expression: Expression = _parse(text, Version.BETA, "expression")
    return expression


def known_version(version: str, text: str) -> Version:
    """`version` as the enum, or `SqlError`."""
    try:
        return Version(version)
    except ValueError:
        known = ", ".join(Version)
        raise SqlError.at(f"the SQL version {version!r} does not exist; there are {known}", text, 0) from None


@functools.cache
def _parser() -> "Lark":
    """Built on first use: a process that never parses SQL does not pay for it."""
    from lark import Lark

    return Lark(
        resources.files("fogbank.sql").joinpath("grammar.lark").read_text("utf-8"),
        start=["statement", "expression"],
        parser="lalr",
        maybe_placeholders=False,
        propagate_positions=True,
    )


def _parse(text: str, version: Version, start: str) -> Any:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError

    from fogbank.sql.build import Build

    if any("\ud800" <= character <= "\udfff" for character in text):
        raise SqlError.at("the statement is not valid Unicode", ascii(text), 0)
    if len(text) > MAX_LENGTH:
        raise SqlError.at(f"the statement is longer than {MAX_LENGTH} characters", text, 0)
    try:
        tree = _parser().parse(text, start=start)
    except UnexpectedToken as error:
        raise _unexpected(text, start, error.token, error.accepts or error.expected) from None
    except UnexpectedCharacters as error:
        offset = error.pos_in_stream or 0
        message = _strange(text, offset) or f"unexpected {_word(text, offset)!r}"
        raise SqlError.at(message, text, offset) from None
    try:
        return Build(text, version).transform(tree)
    except VisitError as error:
        raise error.orig_exc from None


def _unexpected(text: str, start: str, token: "Token", accepted: set[str]) -> SqlError:
    expected = _expected(accepted)
    if token.type == "$END":
        return SqlError.at(f"the {start} ends where {expected} should follow", text, len(text.rstrip()))
    offset = token.start_pos or 0
    strange = _strange(text, offset)
    return SqlError.at(strange or f"unexpected {_word(text, offset)!r}; expected {expected}", text, offset)


def _strange(text: str, offset: int) -> str | None:
    """What is wrong at `offset` where it is a common mistake."""
    character = text[offset]
    if character == "[":
        return _NO_INDEX
    if character == "`":
        return "names are not quoted; a member whose name is none is read with get(object, 'name')"
    if text.startswith(("/*", "//"), offset) or text[:offset].rstrip().endswith("/*"):  # `a / *` could go on
        return "there are no comments in this language"
    if character in "'\"" and character not in text[offset + 1 :]:
        return f"the string that begins here is not closed by {character}"
    if re.compile("[0-9]+[^\\W0-9]").match(text, offset):
        return "a name cannot begin with a digit; such a member is read with get(object, 'name')"
    return None


def _word(text: str, offset: int) -> str:
    found = re.compile(r"'[^']*'|\"[^\"]*\"|\w+|.", re.DOTALL).match(text, offset)
    return found[0] if found else ""


def _expected(terminals: set[str]) -> str:
    """The terminals in words: what begins an expression as one, and what goes on with it."""
    rest = terminals - _GO_WITHOUT_SAYING
    words: set[str] = set()
    if "NUMBER" in rest:
        rest, words = rest - _BEGIN_EXPRESSION, {"an expression"}
    elif rest & _OPERATORS:
        rest, words = rest - _OPERATORS, {"an operator"}
    *others, last = sorted({_WORDS.get(terminal, terminal) for terminal in rest} | words) or ["nothing more"]
    return f"{', '.join(others)} or {last}" if others else last
