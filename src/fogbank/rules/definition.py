"""A rule as it is defined and stored: values alone, nothing compiled."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.ports import Documents
from fogbank.storage.collection import Collection

DEFAULT_SQL_VERSION = "2015-10-08"
"""Meant where `awsIotSqlVersion` is missing (Developer Guide, SQL versions)."""

MAX_ACTIONS = 10
"""Per rule (AWS IoT quotas, rules engine)."""

Members = Mapping[str, Any]
"""Members of a structure of the API, as the model names them."""

_NAME = re.compile(r"[a-zA-Z0-9_]{1,128}")


class RulePayload(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """What a caller says of a rule: the API's TopicRulePayload."""

    sql: str
    actions: tuple[dict[str, Any], ...]
    """Each names one action type with its parameters: `{"lambda": {"functionArn": ...}}`."""
    description: str | None = None
    rule_disabled: bool = False
    aws_iot_sql_version: str = DEFAULT_SQL_VERSION
    error_action: dict[str, Any] | None = None


class Rule(msgspec.Struct, frozen=True):
    """A rule of the account."""

    name: str
    payload: RulePayload
    topic_filter: str | None
    """What stands behind FROM; None: nothing does, and messages reach it by Basic Ingest alone."""
    created_at: float
    """Seconds since the epoch."""


def rules_of(documents: Documents) -> Collection[Rule]:
    """The stored rules, by name."""
    return Collection(documents, "rule", Rule)


def check_name(name: str) -> str:
    """Return `name`, or raise InvalidRequest where the model's pattern for RuleName does not allow it."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"the rule name {name!r} is not 1 to 128 letters, digits and underscores")
    return name


def read_payload(members: Members) -> RulePayload:
    """The payload of a CreateTopicRule or ReplaceTopicRule. Raises InvalidRequest, naming the member that is wrong."""
    try:
        payload = msgspec.convert(members, RulePayload)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"topicRulePayload: {error}") from error
    if len(payload.actions) > MAX_ACTIONS:
        raise InvalidRequest(f"a rule has at most {MAX_ACTIONS} actions, this one has {len(payload.actions)}")
    return payload
