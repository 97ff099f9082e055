"""Rules as a user makes them: by boto3."""

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from bench.broker import Api
from bench.driver import RunError

SQL_VERSION = "2016-03-23"
ROLE_NAME = "bench"
ROLE = f"arn:aws:iam::123456789012:role/{ROLE_NAME}"
AT_ONCE = 8
"""Requests under way: a thousand rules one after another would take longer than what is measured."""

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:us-east-1:123456789012:topic/bench/*"},
        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:us-east-1:123456789012:*"},
    ],
}
"""What the actions of the benchmark's rules do, and nothing else."""


class NewRule(msgspec.Struct, frozen=True):
    """What is said in CreateTopicRule."""

    name: str
    sql: str
    action: dict[str, Any]


def republish(topic: str) -> dict[str, Any]:
    """The action, at QoS 0."""
    return {"republish": {"topic": topic, "roleArn": ROLE, "qos": 0}}


def install(api: Api | None, rules: Iterable[NewRule]) -> None:
    """Create all of them, and the role that they act in. Raises RunError with what the service said."""
    if api is None:
        raise RunError("it has no API to create rules by")
    from botocore.exceptions import ClientError

    iot, iam = api.client("iot"), api.client("iam")

    def create(rule: NewRule) -> None:
        payload = {"sql": rule.sql, "awsIotSqlVersion": SQL_VERSION, "actions": [rule.action], "ruleDisabled": False}
        iot.create_topic_rule(ruleName=rule.name, topicRulePayload=payload)

    try:
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_role(RoleName=ROLE_NAME, AssumeRolePolicyDocument=msgspec.json.encode(TRUST).decode())
        iam.put_role_policy(
            RoleName=ROLE_NAME, PolicyName=ROLE_NAME, PolicyDocument=msgspec.json.encode(RIGHTS).decode()
        )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(create, rules))
    except ClientError as error:
        raise RunError(f"the rule could not be created: {error}") from error
