"""Decisions in words: which statement denied, or which one was missing and what came closest to it."""

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

import msgspec

from fogbank.policy.conditions import Condition
from fogbank.policy.decision import StatementRef
from fogbank.policy.document import Effect, Statement
from fogbank.policy.variables import Template, Variable, Variables, fold
from fogbank.policy.wildcards import matcher


class Policies(Protocol):
    """What there is to look through for a reason."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def statements(self, action: str) -> Sequence[tuple[StatementRef, Statement]]: ...


def decided(ref: StatementRef, allowed: bool, action: str, resource: str) -> str:
    """Why a statement's word was final."""
    return f"{ref} {'allows' if allowed else 'denies'} {action} on {resource}"


def missing(policies: Policies, action: str, resource: str, variables: Variables) -> str:
    """Which statement would have allowed the request, and which of those that exist came closest."""
    add = f'{{"Effect": "Allow", "Action": {_json(action)}, "Resource": {_json(_escaped(resource))}}}'
    if not policies.names:
        return f"no policy is attached to allow {action} on {resource}; attach one with the statement {add}"
    listed = " or ".join(repr(name) for name in policies.names)
    missing = f"no statement of policy {listed} allows {action} on {resource}; add {add} to allow it"
    allows = [one for one in policies.statements(action) if one[1].effect is Effect.ALLOW]
    if not allows:
        return missing
    ref, statement = max(allows, key=lambda one: _nearness(one[1], resource, variables))
    name = f"statement {ref.number}" if len(policies.names) == 1 else str(ref)
    return f"{missing}. Nearest: {name} allows {action} {_scope(statement, resource, variables)}"


def _nearness(statement: Statement, resource: str, variables: Variables) -> int:
    """How far the statement's best pattern agrees with the resource; beyond its end where only a condition failed."""
    return max(_agreement(template, resource, variables) for template in statement.resources)


def _agreement(template: Template, resource: str, variables: Variables) -> int:
    tokens = template.fill(variables)
    if tokens is not None and matcher(tokens)(resource):
        return len(resource) + 1
    known = ""
    for piece in template.pieces:
        text = variables.text(piece.key) if isinstance(piece, Variable) else piece
        if not isinstance(text, str):
            break
        known += text
    agreeing = takewhile(lambda pair: pair[0] == pair[1], zip(known, resource, strict=False))
    return sum(1 for _ in agreeing)


def _scope(statement: Statement, resource: str, variables: Variables) -> str:
    best = max(statement.resources, key=lambda template: _agreement(template, resource, variables))
    matched = _agreement(best, resource, variables) > len(resource)
    if statement.not_resource:
        scope = f"on everything but {', '.join(template.text for template in statement.resources)}"
    else:
        scope = f"on {best.text}"
    clauses = [_value(variable, variables) for variable in best.variables]
    if matched is not statement.not_resource:
        clauses = [_failure(one, variables) for one in statement.conditions if not one.holds(variables)]
    elif not statement.not_resource and _is_topic(best) and ":topicfilter/" in resource:
        clauses.append("and subscribing is checked on topicfilter/, not on topic/")
    return ", ".join([scope, *clauses])


def _value(variable: Variable, variables: Variables) -> str:
    value = variables.text(variable.key)
    if value is not None:
        return f"where {variable.name} is {value!r}"
    if variable.key.startswith("iot:connection.thing."):
        return f"where {variable.name} has no value: no thing of the client ID's name is attached, or it lacks that"
    return f"where {variable.name} has no value on this connection"


def _failure(condition: Condition, variables: Variables) -> str:
    values = variables.all(fold(condition.key))
    found = "missing" if values is None else ", ".join(map(repr, values)) or "empty"
    return f"but only where {condition}, and {condition.key} is {found}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _escaped(resource: str) -> str:
    """The pattern that means this resource alone."""
    literal = {"*": "${*}", "?": "${?}", "$": "${$}"}
    return "".join(
        literal[char] if char in "*?" or resource.startswith("${", position) else char
        for position, char in enumerate(resource)
    )


def _is_topic(template: Template) -> bool:
    return ":topic/" in template.text
