"""Policy documents: from text to statements.

Everything that can be wrong with a document is found here, once, when the policy is created; evaluation meets only
statements that make sense. The grammar is IAM's without `Principal` (IAM user guide, reference_policies_grammar), or
that of the trust policies of roles, which have `Principal` and no `Resource`.
"""

import enum
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fogbank.errors import FogbankError
from fogbank.policy.conditions import Condition, check_value, parse_operator
from fogbank.policy.principals import Principals, parse_principals
from fogbank.policy.variables import Template, UnclosedVariable, parse_template
from fogbank.policy.wildcards import Matcher, matcher, tokens_of

VERSION_WITH_VARIABLES = "2012-10-17"
VERSION_WITHOUT_VARIABLES = "2008-10-17"
"""What a document without `Version` is, too."""

_DOCUMENT_KEYS = ("Version", "Id", "Statement")
_STATEMENT_KEYS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_TRUST_KEYS = ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition")


class MalformedPolicy(FogbankError):
    """The text is not a policy document. `where` is the path to what is wrong: `Statement[1].Effect`, from 1."""

    def __init__(self, what: str, where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what)
        self.what = what
        self.where = where


class Effect(enum.Enum):
    """What a statement does to the requests it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


class ActionPatterns(msgspec.Struct, frozen=True):
    """`Action`, or `NotAction` where negated. Action names are not case-sensitive."""

    patterns: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    negated: bool

    def match(self, folded: str) -> bool:
        """Whether the statement is about this action, given in lower case."""
        return any(matches(folded) for matches in self.matchers) is not self.negated


class Statement(msgspec.Struct, frozen=True):
    """One statement; `number` counts from 1."""

    number: int
    sid: str | None
    effect: Effect
    actions: ActionPatterns
    resources: tuple[Template, ...]
    not_resource: bool
    """Whether `resources` are those of a `NotResource`."""
    conditions: tuple[Condition, ...]
    principals: Principals | None = None
    """Of trust policies alone."""

    @property
    def references(self) -> list[str]:
        """The names of all variables and condition keys that the statement looks at, in its order."""
        templates = [*self.resources, *(value for condition in self.conditions for value in condition.values)]
        return [
            *(variable.name for template in templates for variable in template.variables),
            *(condition.key for condition in self.conditions),
        ]


class Document(msgspec.Struct, frozen=True):
    """A policy document that makes sense."""

    version: str
    statements: tuple[Statement, ...]
    id: str | None = None


def parse_document(text: str) -> Document:
    """Parse and validate a policy document. Raises `MalformedPolicy`. Length limits are the registry's concern."""
    return _document(text, _statement)


def parse_trust(text: str) -> Document:
    """Parse and validate the trust policy of a role. Raises `MalformedPolicy`."""
    return _document(text, _trust_statement)


def _document(text: str, parse: Callable[[Any, int, bool], Statement]) -> Document:
    document = _object(_json(text), "", _DOCUMENT_KEYS)
    version = document.get("Version", VERSION_WITHOUT_VARIABLES)
    if version not in (VERSION_WITH_VARIABLES, VERSION_WITHOUT_VARIABLES):
        raise MalformedPolicy(f"must be {VERSION_WITH_VARIABLES!r}, not {version!r}", "Version")
    if "Statement" not in document:
        raise MalformedPolicy("the document has no Statement")
    found = document["Statement"]
    listed = found if isinstance(found, list) else [found]
    if not listed:
        raise MalformedPolicy("there must be at least one statement", "Statement")
    variables = version == VERSION_WITH_VARIABLES
    statements = [parse(one, number, variables) for number, one in enumerate(listed, start=1)]
    return Document(version, tuple(statements), _optional_string(document, "Id", ""))


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise MalformedPolicy(f"not JSON: {_with_line(str(error), text)}") from None
    except RecursionError:
        raise MalformedPolicy("not a policy: nested too deeply") from None


def _with_line(error: str, text: str) -> str:
    """The decoder tells a byte; people count lines and columns."""
    before, found, offset = error.partition("(byte ")
    if not found:
        return error
    read = text.encode("utf-8", "surrogatepass")[: int(offset.rstrip(")"))].decode("utf-8", "ignore")
    return f"{before}(line {read.count(chr(10)) + 1}, column {len(read) - read.rfind(chr(10))})"


def _statement(found: Any, number: int, variables: bool) -> Statement:
    where = f"Statement[{number}]"
    statement = _object(found, where, _STATEMENT_KEYS)
    effect = _effect(statement, where)
    actions = _actions(statement, where)
    not_resource, resources = _either(statement, "Resource", where)
    return Statement(
        number,
        _optional_string(statement, "Sid", where),
        effect,
        actions,
        tuple(_template(resource, variables, f"{where}.Resource") for resource in resources),
        not_resource,
        tuple(_conditions(statement.get("Condition", {}), variables, f"{where}.Condition")),
    )


def _trust_statement(found: Any, number: int, variables: bool) -> Statement:
    """It is about the role that it belongs to, whatever its ARN: on everything but nothing."""
    where = f"Statement[{number}]"
    statement = _object(found, where, _TRUST_KEYS)
    effect = _effect(statement, where)
    actions = _actions(statement, where)
    for action in actions.patterns:
        if not action.lower().startswith("sts:"):
            raise MalformedPolicy(f"{action!r} is no action of sts, as that of a trust policy is", f"{where}.Action")
    return Statement(
        number,
        _optional_string(statement, "Sid", where),
        effect,
        actions,
        (),
        True,
        tuple(_conditions(statement.get("Condition", {}), variables, f"{where}.Condition")),
        _principals(statement, where),
    )


def _effect(statement: Mapping[str, Any], where: str) -> Effect:
    if "Effect" not in statement:
        raise MalformedPolicy("has no Effect", where)
    if statement["Effect"] not in ("Allow", "Deny"):
        raise MalformedPolicy(f"must be 'Allow' or 'Deny', not {statement['Effect']!r}", f"{where}.Effect")
    return Effect(statement["Effect"])


def _actions(statement: Mapping[str, Any], where: str) -> ActionPatterns:
    not_action, actions = _either(statement, "Action", where)
    for action in actions:
        if ":" not in action and action != "*":
            raise MalformedPolicy(f"{action!r} names no service; write 'iot:{action}'", f"{where}.Action")
    return ActionPatterns(tuple(actions), tuple(matcher(tokens_of(action.lower())) for action in actions), not_action)


def _principals(statement: Mapping[str, Any], where: str) -> Principals:
    if ("Principal" in statement) is ("NotPrincipal" in statement):
        raise MalformedPolicy("must have either Principal or NotPrincipal", where)
    negated = "NotPrincipal" in statement
    name = "NotPrincipal" if negated else "Principal"
    try:
        return parse_principals(statement[name], negated=negated)
    except ValueError as error:
        raise MalformedPolicy(str(error), f"{where}.{name}") from None


def _conditions(found: Any, variables: bool, where: str) -> list[Condition]:
    conditions = []
    for name, keys in _object(found, where).items():
        try:
            operator = parse_operator(name)
        except ValueError as error:
            raise MalformedPolicy(str(error), where) from None
        for key, values in _object(keys, f"{where}.{name}").items():
            at = f"{where}.{name}.{key}"
            templates = [_template(_scalar(value, at), variables, at) for value in _listed(values)]
            try:
                for template in templates:
                    check_value(operator, template)
            except ValueError as error:
                raise MalformedPolicy(str(error), at) from None
            conditions.append(Condition(operator, key, tuple(templates)))
    return conditions


def _either(statement: Mapping[str, Any], element: str, where: str) -> tuple[bool, list[str]]:
    """The strings of an element or of its negation, of which there must be exactly one."""
    negation = f"Not{element}"
    if (element in statement) is (negation in statement):
        raise MalformedPolicy(f"must have either {element} or {negation}", where)
    negated = negation in statement
    name = negation if negated else element
    listed = _listed(statement[name])
    if not listed:
        raise MalformedPolicy("must not be empty", f"{where}.{name}")
    for one in listed:
        if not isinstance(one, str):
            raise MalformedPolicy(f"must be a string or a list of strings, not {one!r}", f"{where}.{name}")
    return negated, listed


def _object(found: Any, where: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise MalformedPolicy("must be a JSON object", where or "the document")
    for key in found if keys else ():
        if key not in keys:
            raise MalformedPolicy(f"{key!r} is not an element of such policies; known are {', '.join(keys)}", where)
    return found


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _scalar(found: Any, where: str) -> str:
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, str | int | float):
        return str(found)
    raise MalformedPolicy(f"must be a string, number or boolean, not {found!r}", where)


def _optional_string(found: Mapping[str, Any], key: str, where: str) -> str | None:
    value = found.get(key)
    if key in found and not isinstance(value, str):
        raise MalformedPolicy(f"must be a string, not {value!r}", f"{where}.{key}" if where else key)
    return value


def _template(text: str, variables: bool, where: str) -> Template:
    try:
        return parse_template(text, variables=variables)
    except UnclosedVariable as error:
        raise MalformedPolicy(str(error), where) from None
