"""Regular expressions (developer guide: `regexp_matches`, `regexp_replace`, `regexp_substr`).

AWS runs Java's engine, whose backtracking may take forever on a pattern and text that a device sends. Here it is RE2:
the time of a search grows with the length of the text and never faster, and its memory is bounded. What only
backtracking can do (backreferences, lookaround) does not exist in RE2: such a pattern is refused when the statement is
compiled, and is Undefined where the pattern itself comes from a message.
"""

import functools
from typing import Any, Final

from fogbank.sql.coercion import text
from fogbank.sql.functions.function import Function
from fogbank.sql.values import MAX_TEXT, UNDEFINED, Value

_MAX_MEMORY: Final = 1024 * 1024
"""Bytes that one compiled pattern may take."""

_MAX_PATTERN: Final = 4 * 1024
"""Characters of a pattern."""

_MAX_SEARCHED: Final = 256 * 1024 * 1024
"""Characters that all searches of one `regexp_replace` may look at together; beyond it is Undefined.

One search is linear, but one for every occurrence, each of which may look at all that follows, is not. This lets
every character of 22 KB be replaced, or 2 000 occurrences in 128 KB, and ends within half a second.
"""

_KEPT: Final = 256
"""Patterns kept ready, the least used dropped first."""


class _PatternError(ValueError):
    """A pattern that RE2 does not take; the text says why."""


@functools.lru_cache(maxsize=_KEPT)
def _compiled(pattern: str) -> Any:
    """The compiled pattern, or `_PatternError`."""
    import re2  # type: ignore[import-untyped]  # RE2's own binding has no types; loaded by whoever uses it

    if len(pattern) > _MAX_PATTERN:
        raise _PatternError(f"the regular expression is longer than {_MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "not understood"
        raise _PatternError(f"the regular expression {pattern!r} is not supported: {reason}") from None


def _pattern(value: Value) -> Any:
    """The pattern that `value` is as a String; None where it is Undefined or cannot be compiled."""
    pattern = text(value)
    try:
        return None if pattern is None else _compiled(pattern)
    except _PatternError:
        return None


def _matches(value: Value, pattern: Value) -> Value:
    """Whether the pattern occurs anywhere in the string."""
    subject, compiled = text(value), _pattern(pattern)
    return UNDEFINED if subject is None or compiled is None else compiled.search(subject) is not None


def _substr(value: Value, pattern: Value) -> Value:
    """The first occurrence; Undefined where there is none."""
    subject, compiled = text(value), _pattern(pattern)
    if subject is None or compiled is None:
        return UNDEFINED
    match = compiled.search(subject)
    return UNDEFINED if match is None else str(match[0])


def _replace(value: Value, pattern: Value, new: Value) -> Value:
    """All occurrences replaced; `$1` and `${name}` in the new text stand for what the groups matched."""
    subject, compiled, replacement = text(value), _pattern(pattern), text(new)
    if subject is None or compiled is None or replacement is None:
        return UNDEFINED
    pieces = _pieces(replacement, compiled)
    if pieces is None:
        return UNDEFINED
    parts: list[str] = []
    length = searched = at = 0
    for match in compiled.finditer(subject):
        parts.append(subject[at : match.start()])
        groups = (match[0], *match.groups())  # once a match: the new text may name a group thousands of times
        parts.extend(piece if isinstance(piece, str) else groups[piece] or "" for piece in pieces)
        at = match.end()
        length += sum(map(len, parts[-len(pieces) - 1 :]))
        searched += len(subject) - match.start()
        if length > MAX_TEXT or searched > _MAX_SEARCHED:
            return UNDEFINED
    return "".join(parts) + subject[at:]


def _pieces(replacement: str, compiled: Any) -> list[str | int] | None:
    """The new text as literals and numbers of groups, by Java's rules; None where it names a group there isn't."""
    pieces: list[str | int] = []
    at = 0
    while at < len(replacement):
        character = replacement[at]
        if character == "$":
            group, at = _group(replacement, at + 1, compiled)
            if group is None:
                return None
            pieces.append(group)
            continue
        if character == "\\":
            at += 1
            if at == len(replacement):
                return None
        pieces.append(replacement[at])
        at += 1
    return pieces


def _group(replacement: str, at: int, compiled: Any) -> tuple[int | None, int]:
    """The group named behind a `$`, and where the text goes on. Digits are taken as long as there is such a group."""
    if replacement.startswith("{", at):
        end = replacement.find("}", at)
        return compiled.groupindex.get(replacement[at + 1 : end]), end + 1
    end = at
    while replacement[end : end + 1] in tuple("0123456789") and (
        end == at or int(replacement[at : end + 1]) <= compiled.groups
    ):
        end += 1
    if end == at or int(replacement[at:end]) > compiled.groups:
        return None, at
    return int(replacement[at:end]), end


def _check(_: Value, pattern: Value, __: Value = UNDEFINED) -> str | None:
    if isinstance(pattern, str):
        try:
            _compiled(pattern)
        except _PatternError as error:
            return str(error)
    return None


FUNCTIONS: Final = (
    Function("regexp_matches", _matches, 2, 2, check=_check),
    Function("regexp_replace", _replace, 3, 3, check=_check),
    Function("regexp_substr", _substr, 2, 2, check=_check),
)
