"""The `Condition` element: IAM's operators over the keys of a request.

An operator's name has up to three parts: `ForAllValues:` or `ForAnyValue:` before it, `IfExists` behind it, and a
comparison between them. Comparisons are one table; a negated one (`StringNotEquals`) is the same comparison, denied.
Source: IAM user guide, reference_policies_elements_condition_operators and _multi-value-conditions.
"""

import base64
import binascii
import enum
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import msgspec

from fogbank.policy.variables import Template, Variables, fold
from fogbank.policy.wildcards import Matcher, Token, literal, matcher

Comparison = Callable[[tuple[Token, ...]], Matcher]
"""Makes of the value in the policy a predicate over a value in the request."""


class Qualifier(enum.Enum):
    """How the several values of one key are taken together."""

    ALL = "ForAllValues"
    """Every value of the request matches; true where there is none."""
    ANY = "ForAnyValue"
    """Some value of the request matches; false where there is none."""


class Operator(msgspec.Struct, frozen=True):
    """A condition operator, taken apart."""

    name: str
    compare: Comparison | None
    """None for `Null`, which looks at nothing but the presence of the key."""
    negated: bool = False
    if_exists: bool = False
    qualifier: Qualifier | None = None


class Condition(msgspec.Struct, frozen=True):
    """One key under one operator. All conditions of a statement must hold; of the values, any one may match."""

    operator: Operator
    key: str
    """As written."""
    values: tuple[Template, ...]

    def holds(self, variables: Variables) -> bool:
        """Whether the request fulfils it. A value with a variable that has no value does not, negated or not."""
        requested = variables.all(fold(self.key))
        compare, negated = self.operator.compare, self.operator.negated
        if compare is None:
            return any((value.text.lower() == "true") is (requested is None) for value in self.values)
        if requested is None and self.operator.if_exists:
            return True
        expected = [_expected(compare, value, variables) for value in self.values]
        if negated and None in expected:
            return False
        found = [any(one is not None and one(value) for one in expected) is not negated for value in requested or ()]
        if self.operator.qualifier is not None:
            return all(found) if self.operator.qualifier is Qualifier.ALL else any(found)
        # Without a qualifier a missing key fulfils the negated operators only, and where a key has several values
        # after all, one that matches decides.
        return all(found) if negated else any(found)

    def __str__(self) -> str:
        values = ", ".join(value.text for value in self.values)
        return f"{self.operator.name} {self.key} [{values}]"


def parse_operator(name: str) -> Operator:
    """Take an operator's name apart. Raises ValueError, with a text for a person, where there is no such operator."""
    qualifier, _, base = name.rpartition(":")
    stem = base.removesuffix("IfExists")
    if qualifier and qualifier not in {one.value for one in Qualifier}:
        raise ValueError(f"there is no qualifier {qualifier!r}; write ForAllValues or ForAnyValue")
    if base == "Null" and not qualifier:
        return Operator(name, None)
    if stem not in _COMPARISONS:
        raise ValueError(f"there is no condition operator {name!r}; IAM has Null, {', '.join(_COMPARISONS)}")
    compare, negated = _COMPARISONS[stem]
    return Operator(name, compare, negated, stem != base, Qualifier(qualifier) if qualifier else None)


def check_value(operator: Operator, value: Template) -> None:
    """Raise ValueError where the operator can never be true of a value because that is no number, date, ..."""
    if operator.compare is None:
        if value.text.lower() not in ("true", "false"):
            raise ValueError(f"Null takes true or false, not {value.text!r}")
    elif not value.variables:
        operator.compare(value.fill(_NO_VARIABLES) or ())


def _expected(compare: Comparison, value: Template, variables: Variables) -> Matcher | None:
    tokens = value.fill(variables)
    if tokens is None:
        return None
    try:
        return compare(tokens)
    except ValueError:  # what a variable filled in is no number, date, ...
        return None


# --- comparisons ------------------------------------------------------------------------------------------------


def _equals(tokens: tuple[Token, ...]) -> Matcher:
    expected = literal(tokens)
    return lambda value: value == expected


def _equals_ignoring_case(tokens: tuple[Token, ...]) -> Matcher:
    expected = literal(tokens).lower()
    return lambda value: value.lower() == expected


def _arn_like(tokens: tuple[Token, ...]) -> Matcher:
    """ArnEquals and ArnLike are the same: each of the six parts between colons is a pattern of its own."""
    parts = [matcher(part) for part in _split_arn(tokens)]

    def matches(value: str) -> bool:
        found = value.split(":", 5)
        return len(found) == len(parts) and all(part(text) for part, text in zip(parts, found, strict=True))

    return matches


def _split_arn(tokens: tuple[Token, ...]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", 6 - len(parts))
        parts[-1].append(first)
        parts.extend([other] for other in others)
    return parts


def _parsed(parse: Callable[[str], object], compare: Callable[..., bool]) -> Comparison:
    """A comparison of values that have a type: `compare(requested, expected)`. What does not parse does not match."""

    def comparison(tokens: tuple[Token, ...]) -> Matcher:
        expected = parse(literal(tokens))

        def matches(value: str) -> bool:
            try:
                return compare(parse(value), expected)
            except ValueError:
                return False

        return matches

    return comparison


_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)


def _number(text: str) -> float:
    """An integer stays exact however long it is; Python compares the two kinds exactly."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return float(text) if any(char in ".eE" for char in text) else int(text)


def _seconds(text: str) -> float:
    """An ISO 8601 date, UTC where it names no zone, or seconds since the epoch."""
    if _NUMBER.fullmatch(text):
        return _number(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither an ISO 8601 date nor seconds since the epoch") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"{text!r} is not base64") from None


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network:
    return ipaddress.ip_network(text, strict=False)


def _inside(address: _Network, network: _Network) -> bool:
    if isinstance(address, ipaddress.IPv4Network):
        return isinstance(network, ipaddress.IPv4Network) and address.subnet_of(network)
    return isinstance(network, ipaddress.IPv6Network) and address.subnet_of(network)


_NO_VARIABLES = Variables({})

_COMPARISONS: Mapping[str, tuple[Comparison, bool]] = {
    "StringEquals": (_equals, False),
    "StringNotEquals": (_equals, True),
    "StringEqualsIgnoreCase": (_equals_ignoring_case, False),
    "StringNotEqualsIgnoreCase": (_equals_ignoring_case, True),
    "StringLike": (matcher, False),
    "StringNotLike": (matcher, True),
    "NumericEquals": (_parsed(_number, operator.eq), False),
    "NumericNotEquals": (_parsed(_number, operator.eq), True),
    "NumericLessThan": (_parsed(_number, operator.lt), False),
    "NumericLessThanEquals": (_parsed(_number, operator.le), False),
    "NumericGreaterThan": (_parsed(_number, operator.gt), False),
    "NumericGreaterThanEquals": (_parsed(_number, operator.ge), False),
    "DateEquals": (_parsed(_seconds, operator.eq), False),
    "DateNotEquals": (_parsed(_seconds, operator.eq), True),
    "DateLessThan": (_parsed(_seconds, operator.lt), False),
    "DateLessThanEquals": (_parsed(_seconds, operator.le), False),
    "DateGreaterThan": (_parsed(_seconds, operator.gt), False),
    "DateGreaterThanEquals": (_parsed(_seconds, operator.ge), False),
    "Bool": (_parsed(_boolean, operator.eq), False),
    "BinaryEquals": (_parsed(_bytes, operator.eq), False),
    "IpAddress": (_parsed(_network, _inside), False),
    "NotIpAddress": (_parsed(_network, _inside), True),
    "ArnEquals": (_arn_like, False),
    "ArnLike": (_arn_like, False),
    "ArnNotEquals": (_arn_like, True),
    "ArnNotLike": (_arn_like, True),
}
"""Operator: (comparison, whether it is negated)."""
