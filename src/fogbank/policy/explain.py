"""Decisions in words: which statement denied and by what, or which one was missing and what came closest to it.

Resources are shown as they are once variables are filled in, with the values; so that a line of a log is enough.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from fogbank.policy.absence import why_absent
from fogbank.policy.conditions import Condition
from fogbank.policy.decision import StatementRef
from fogbank.policy.document import Effect, Statement
from fogbank.policy.variables import Template, Variable, Variables, fold
from fogbank.policy.wildcards import Token, agreement, literal, matcher

MOST_SHOWN = 3
"""Statements that are shown where several came equally close."""


class Policies(Protocol):
    """What there is to look through for a reason."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def statements(self, action: str | None = None) -> Sequence[tuple[StatementRef, Statement]]: ...


def decided(ref: StatementRef, statement: Statement, action: str, resource: str, variables: Variables) -> str:
    """Why a statement's word was final. What made it apply is told of denials: a permission is rarely a riddle."""
    if statement.effect is Effect.ALLOW:
        return f"{ref} allows {action} on {resource}"
    clauses = [f"{ref} denies {action} on {resource}"]
    if statement.not_resource:
        clauses.append(f"as on everything but {_all_shown(statement, variables)}")
    else:
        matching = [one for one in statement.resources if _agreement(one, resource, variables) > len(resource)]
        if matching and matching[0].text not in (resource, "*"):
            clauses.append(f"as on {_shown(matching[0], variables)}")
            clauses += _values(matching[0], variables)
    clauses += [f"as {one} holds: {_found(one, variables)}" for one in statement.conditions]
    return ", ".join(clauses)


def missing(policies: Policies, action: str, resource: str, variables: Variables) -> str:
    """Which statement would have allowed the request, and which of those that exist came closest."""
    add = f'{{"Effect": "Allow", "Action": {_json(action)}, "Resource": {_json(_escaped(resource))}}}'
    if not policies.names:
        return f"no policy is attached to allow {action} on {resource}; attach one with the statement {add}"
    listed = " or ".join(repr(name) for name in policies.names)
    missing = f"no statement of policy {listed} allows {action} on {resource}; add {add} to allow it"
    nearest = [*_nearest(policies, action, resource, variables)]
    return f"{missing}. Nearest: {'; '.join(nearest)}" if nearest else missing


def _nearest(policies: Policies, action: str, resource: str, variables: Variables) -> Iterator[str]:
    """What is said of the statements that came closest: those for the action, else those for the resource."""
    alone = len(policies.names) == 1
    allows = [one for one in policies.statements(action) if one[1].effect is Effect.ALLOW]
    if allows:
        nearness = [_nearness(one, resource, variables) for _, one in allows]
        best = max(nearness)
        found = [one for one, near in zip(allows, nearness, strict=True) if near == best]
        told = [f"allows {action} {_scope(one, action, resource, variables)}" for _, one in found]
    else:
        found = [
            (ref, one)
            for ref, one in policies.statements()
            if one.effect is Effect.ALLOW and _covers(one, resource, variables)
        ]
        told = [f"is about that resource, but {_actions(one)}" for _, one in found]
    for (ref, _), what in list(zip(found, told, strict=True))[:MOST_SHOWN]:
        yield f"{ref.short if alone else ref} {what}"


def _nearness(statement: Statement, resource: str, variables: Variables) -> int:
    """How far the statement's best pattern agrees with the resource; beyond its end where only a condition failed."""
    return max(_agreement(template, resource, variables) for template in statement.resources)


def _covers(statement: Statement, resource: str, variables: Variables) -> bool:
    return (_nearness(statement, resource, variables) > len(resource)) is not statement.not_resource


def _agreement(template: Template, resource: str, variables: Variables) -> int:
    tokens = template.fill(variables)
    if tokens is not None and matcher(tokens)(resource):
        return len(resource) + 1
    return agreement([*_filled(template, variables)], resource)


def _filled(template: Template, variables: Variables) -> Iterator[Token]:
    """The template's tokens up to the first variable that has no value."""
    for piece in template.pieces:
        token = variables.text(piece.key) if isinstance(piece, Variable) else piece
        if token is None:
            return
        yield token


def _scope(statement: Statement, action: str, resource: str, variables: Variables) -> str:
    """On what a statement allows the action, and so what it missed: the resource, or a condition."""
    best = max(statement.resources, key=lambda template: _agreement(template, resource, variables))
    if statement.not_resource:
        clauses = [f"on everything but {_all_shown(statement, variables)}"]
        clauses += [clause for template in statement.resources for clause in _values(template, variables)]
    else:
        clauses = [f"on {_shown(best, variables)}", *_values(best, variables)]
        if _kind(best.text) != _kind(resource) and _kind(best.text).isalpha():
            clauses.append(f"and {action} is checked on {_kind(resource)}/, not on {_kind(best.text)}/")
    if _covers(statement, resource, variables):
        failed = [one for one in statement.conditions if not one.holds(variables)]
        clauses += [f"but only where {one}, and {_found(one, variables)}" for one in failed]
    return ", ".join(clauses)


def _kind(arn: str) -> str:
    """`topic` of an ARN; the whole text where it is no ARN."""
    return arn.split(":", 5)[-1].partition("/")[0]


def _actions(statement: Statement) -> str:
    listed = ", ".join(statement.actions.patterns)
    return f"for all actions but {listed}" if statement.actions.negated else f"for {listed}"


def _all_shown(statement: Statement, variables: Variables) -> str:
    return ", ".join(_shown(template, variables) for template in statement.resources)


def _shown(template: Template, variables: Variables) -> str:
    """The template with values in place of its variables; those without a value stay as they are written."""
    return "".join(_text(piece, variables) for piece in template.pieces)


def _text(piece: Token | Variable, variables: Variables) -> str:
    if not isinstance(piece, Variable):
        return literal((piece,))
    value = variables.text(piece.key)
    return f"${{{piece.name}}}" if value is None else value


def _values(template: Template, variables: Variables) -> list[str]:
    """A clause for each of the template's variables."""
    return [_value(variable.name, variable.key, variables) for variable in dict.fromkeys(template.variables)]


def _value(name: str, key: str, variables: Variables) -> str:
    value = variables.text(key)
    return f"where {name} {_absent(key, variables) if value is None else f'is {value!r}'}"


def _found(condition: Condition, variables: Variables) -> str:
    """What the request has for the condition, and for the variables in its values."""
    key = fold(condition.key)
    values = variables.all(key)
    if values is None:
        found = f"{condition.key} {_absent(key, variables)}"
    else:
        found = f"{condition.key} is {', '.join(map(repr, values)) or 'empty'}"
    used = [clause for value in condition.values for clause in _values(value, variables)]
    return ", ".join([found, *used])


def _absent(key: str, variables: Variables) -> str:
    return f"has no value: {why_absent(key, variables)}"


def _json(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _escaped(resource: str) -> str:
    """The pattern that means this resource alone."""
    escapes = {"*": "${*}", "?": "${?}", "$": "${$}"}
    return "".join(
        escapes[char] if char in "*?" or resource.startswith("${", position) else char
        for position, char in enumerate(resource)
    )
