"""What comes to light when a definition is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from fogbank.errors import InvalidRequest
from fogbank.rules.definition import RulePayload
from fogbank.rules.errors import SqlParse

if TYPE_CHECKING:
    from tests.rules.conftest import Platform

Action = dict[str, Any]


def test_the_filter_of_from_is_kept_with_the_rule(platform: Platform, invoke: Callable[[str], Action]) -> None:
    payload = RulePayload(sql="SELECT * FROM 'a/+'", actions=(invoke("f"),), error_action=invoke("g"))
    compiled = platform.engine.compile("r", payload, 1.5)
    assert (compiled.rule.name, compiled.rule.topic_filter, compiled.rule.created_at) == ("r", "a/+", 1.5)
    assert [action.kind for action in compiled.actions] == ["lambda"]
    assert compiled.error_action is not None


def test_wrong_sql_is_refused_with_its_place_and_text(platform: Platform) -> None:
    with pytest.raises(SqlParse) as refused:
        platform.engine.compile("r", RulePayload(sql="SELECT * FROM 'a' WHERE temperature >", actions=()), 0)
    assert "line 1, column 38" in refused.value.message
    assert "SELECT * FROM 'a' WHERE temperature >" in refused.value.message
    assert (refused.value.code, refused.value.status) == ("SqlParseException", 400)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT nosuchfunction(a) FROM 'a'", "nosuchfunction"),
        ("SELECT * FROM 'a/#/b'", "levels after '#'"),
        ("SELECT * FROM 'a+'", "wildcard shares its level"),
        ("SELECT * FROM ''", "empty"),
        ("", "statement"),
    ],
)
def test_sql_that_cannot_run_is_refused(platform: Platform, sql: str, told: str) -> None:
    with pytest.raises(SqlParse) as refused:
        platform.engine.compile("r", RulePayload(sql=sql, actions=()), 0)
    assert told in refused.value.message


def test_unknown_sql_versions_are_refused(platform: Platform) -> None:
    payload = RulePayload(sql="SELECT * FROM 'a'", actions=(), aws_iot_sql_version="2017-01-01")
    with pytest.raises(SqlParse, match="2017-01-01"):
        platform.engine.compile("r", payload, 0)


def test_an_error_action_that_is_not_supported_is_refused_too(platform: Platform) -> None:
    payload = RulePayload(sql="SELECT * FROM 'a'", actions=(), error_action={"salesforce": {"url": "u"}})
    with pytest.raises(InvalidRequest, match='action "salesforce" is not supported yet'):
        platform.engine.compile("r", payload, 0)
