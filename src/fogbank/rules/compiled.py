"""A rule made ready to run. Whatever is wrong or not supported in its definition comes to light here, at creation."""

from collections.abc import Iterable, Iterator

import msgspec

from fogbank import sql
from fogbank.arns import Arns
from fogbank.ports import Invoker, Publisher, RoleRights
from fogbank.rules.actions.aws import AwsAction
from fogbank.rules.actions.base import Action, Context, Outside
from fogbank.rules.actions.catalogue import make_action
from fogbank.rules.definition import Rule, RulePayload
from fogbank.rules.errors import SqlParse
from fogbank.rules.outside import Answering
from fogbank.sql import Query, SqlError, compile_statement, parse


class CompiledRule(msgspec.Struct, frozen=True):
    """A definition with its statement and actions compiled."""

    rule: Rule
    query: Query
    actions: tuple[Action, ...]
    error_action: Action | None
    arn: str
    asks: frozenset[str] = frozenset()
    """Functions in the statement and in templates that ask the world; with any of them firings bring `answers`."""
    roles: frozenset[str] = frozenset()
    """The ARNs of the roles that the rule uses, those of its actions and of these functions."""
    rights: RoleRights | None = None
    """Who is asked what the actions' roles may do; None: nobody."""
    outside: sql.Outside | None = None
    """Who answers `asks`."""
    obstacles: tuple[str, ...] = ()
    """Why some of it will fail for every message: settings that are missing."""


def compile_rule(
    name: str,
    payload: RulePayload,
    created_at: float,
    *,
    arns: Arns,
    publisher: Publisher,
    invoker: Invoker,
    outside: Outside | None = None,
    answering: Answering | None = None,
) -> CompiledRule:
    """Compile a definition. Raises SqlParse and InvalidRequest."""
    query = _compile_statement(payload)
    context = Context(name, query.statement, arns, publisher, invoker, outside)
    actions = tuple(make_action(members, context) for members in payload.actions)
    error_action = None if payload.error_action is None else make_action(payload.error_action, context)
    every = (*actions, *(() if error_action is None else (error_action,)))
    asks = frozenset(query.asks).union(*(template.asks for template in context.templates))
    acting = {action.role for action in every if action.role is not None}
    arn = arns.iot("rule", name)
    return CompiledRule(
        Rule(name, payload, query.topic_filter, created_at),
        query,
        actions,
        error_action,
        arn,
        asks=asks,
        roles=frozenset(acting).union(query.roles, *(template.roles for template in context.templates)),
        rights=None if outside is None else outside.rights,
        outside=None if answering is None else answering.to(arn),
        obstacles=tuple(_obstacles(every, asks, answering)),
    )


def _obstacles(actions: Iterable[Action], asks: Iterable[str], answering: Answering | None) -> Iterator[str]:
    for action in actions:
        if isinstance(action, AwsAction) and action.obstacle is not None:
            yield f'action "{action.kind}" will fail for each message: {action.obstacle}'
    for function in sorted(asks):
        obstacle = None if answering is None else answering.obstacle(function)
        if obstacle is not None:
            yield f"{function}() will fail for each message: {obstacle}"


def _compile_statement(payload: RulePayload) -> Query:
    try:
        return compile_statement(parse(payload.sql, payload.aws_iot_sql_version))
    except SqlError as error:
        raise SqlParse(str(error)) from error
