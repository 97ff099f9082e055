"""Policy evaluation as one would write it on a napkin: straight from the document, slow, with no shared code.

Wildcards by recursion, variables by splitting text, conditions by the words of the IAM user guide. It knows the
operators on strings, booleans and presence; numbers, dates, addresses and ARNs have tables of their own.
"""

import re
from collections.abc import Sequence
from typing import Any

Values = dict[str, str | Sequence[str]]
Pattern = list[tuple[str, bool]]
"""Characters, each with whether it is a wildcard."""


def decide(documents: Sequence[dict[str, Any]], action: str, resource: str, values: Values) -> str:
    """`DENY`, `ALLOW` or `NONE`."""
    matching = {
        statement["Effect"]
        for document in documents
        for statement in _list(document["Statement"])
        if _matches(statement, action, resource, values, document.get("Version") == "2012-10-17")
    }
    return "DENY" if "Deny" in matching else "ALLOW" if "Allow" in matching else "NONE"


def like(pattern: Pattern, text: str) -> bool:
    if not pattern:
        return not text
    (char, wild), rest = pattern[0], pattern[1:]
    if wild and char == "*":
        return any(like(rest, text[cut:]) for cut in range(len(text) + 1))
    return bool(text) and (wild or char == text[0]) and like(rest, text[1:])


def _matches(statement: dict[str, Any], action: str, resource: str, values: Values, variables: bool) -> bool:
    about = any(
        like([(char, char in "*?") for char in one.lower()], action.lower())
        for one in _list(statement.get("Action", statement.get("NotAction")))
    )
    if about is ("NotAction" in statement):
        return False
    patterns = [_fill(one, values, variables) for one in _list(statement.get("Resource", statement.get("NotResource")))]
    if "NotResource" in statement and None in patterns:
        return False
    covers = any(pattern is not None and like(pattern, resource) for pattern in patterns)
    if covers is ("NotResource" in statement):
        return False
    return all(
        _holds(operator, key, _list(expected), values, variables)
        for operator, keys in statement.get("Condition", {}).items()
        for key, expected in keys.items()
    )


def _fill(text: str, values: Values, variables: bool) -> Pattern | None:
    pattern: Pattern = []
    for part in re.split(r"(\$\{[^}]*\})", text) if variables else [text]:
        if not (variables and part.startswith("${") and part.endswith("}")):
            pattern += [(char, char in "*?") for char in part]
        elif part[2:-1] in ("*", "?", "$"):
            pattern.append((part[2], False))
        else:
            value = values.get(part[2:-1])
            if value is None or not value:
                return None
            pattern += [(char, False) for char in (value if isinstance(value, str) else value[0])]
    return pattern


def _holds(operator: str, key: str, expected: list[str], values: Values, variables: bool) -> bool:
    qualifier, _, base = operator.rpartition(":")
    found = values.get(key)
    if base == "Null":
        return any((one == "true") is (found is None) for one in expected)
    if found is None and base.endswith("IfExists"):
        return True
    base = base.removesuffix("IfExists")
    negated = "Not" in base
    patterns = [_fill(one, values, variables) for one in expected]
    if negated and None in patterns:
        return False

    def matches(value: str) -> bool:
        return any(pattern is not None and _compare(base.replace("Not", ""), pattern, value) for pattern in patterns)

    requested = [] if found is None else [found] if isinstance(found, str) else list(found)
    if qualifier == "ForAllValues":
        return all(matches(value) is not negated for value in requested)
    if qualifier == "ForAnyValue":
        return any(matches(value) is not negated for value in requested)
    return not any(map(matches, requested)) if negated else any(map(matches, requested))


def _compare(base: str, pattern: Pattern, value: str) -> bool:
    plain = "".join(char for char, _ in pattern)
    if base == "StringLike":
        return like(pattern, value)
    if base in ("StringEqualsIgnoreCase", "Bool"):
        return plain.lower() == value.lower()
    assert base == "StringEquals"
    return plain == value


def _list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
