"""A rule made ready to run. Whatever is wrong or not supported in its definition comes to light here, at creation."""

import msgspec

from fogbank.arns import Arns
from fogbank.ports import Invoker, Publisher
from fogbank.rules.actions.base import Action, Context
from fogbank.rules.actions.catalogue import make_action
from fogbank.rules.definition import Rule, RulePayload
from fogbank.rules.errors import SqlParse
from fogbank.sql import Query, SqlError, compile_statement, parse


class CompiledRule(msgspec.Struct, frozen=True):
    """A definition with its statement and actions compiled."""

    rule: Rule
    query: Query
    actions: tuple[Action, ...]
    error_action: Action | None


def compile_rule(
    name: str, payload: RulePayload, created_at: float, *, arns: Arns, publisher: Publisher, invoker: Invoker
) -> CompiledRule:
    """Compile a definition. Raises SqlParse and InvalidRequest."""
    query, topic_filter = _compile_statement(payload)
    context = Context(name, query.statement, arns, publisher, invoker)
    return CompiledRule(
        Rule(name, payload, topic_filter, created_at),
        query,
        tuple(make_action(members, context) for members in payload.actions),
        None if payload.error_action is None else make_action(payload.error_action, context),
    )


def _compile_statement(payload: RulePayload) -> tuple[Query, str]:
    try:
        query = compile_statement(parse(payload.sql, payload.aws_iot_sql_version))
    except SqlError as error:
        raise SqlParse(str(error)) from error
    if query.topic_filter is None:
        # AWS runs such rules for Basic Ingest; until that is here, nothing would ever reach them.
        raise SqlParse(f"a statement without FROM (Basic Ingest) is not supported yet: {payload.sql}")
    return query, query.topic_filter
