"""`fogbank rule test` against a server: what it says, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from tests.cli.server import Server

from fogbank.cli.rule import rule

ROLE = "arn:aws:iam::123456789012:role/nobody"


@pytest.fixture(scope="module")
def iot(server: Server) -> Iterator[Any]:
    client, iam = (
        boto3.client(
            service,
            endpoint_url=server.ready["api"],
            region_name=server.ready["region"],
            aws_access_key_id=server.ready["access_key_id"],
            aws_secret_access_key=server.ready["secret_access_key"],
        )
        for service in ("iot", "iam")
    )
    iam.create_user(UserName="anybody")  # from here on roles are looked at
    iam.close()
    sql = "SELECT *, topic(2) AS room FROM 'room/+' WHERE celsius > 40"
    for name, actions in (("quiet", []), ("fever", [{"republish": {"topic": "hot", "roleArn": ROLE}}])):
        client.create_topic_rule(
            ruleName=name,
            topicRulePayload={"sql": sql, "actions": actions, "awsIotSqlVersion": "2016-03-23"},
        )
    yield client
    client.close()


def run(server: Server, *arguments: str) -> Result:
    nowhere = {"AWS_ENDPOINT_URL": None, "AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    return CliRunner(env=nowhere).invoke(rule, ["test", "--data", str(server.data), *arguments])


def test_a_rule_that_fires(server: Server, iot: Any) -> None:
    done = run(server, "quiet", "--topic", "room/attic", "--payload", '{"celsius": 41}')
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "rule      quiet",
        "FROM    ✓ 'room/+' matches room/attic",
        "WHERE   ✓ celsius > 40 was true",
        'SELECT    {"celsius":41,"room":"attic"}',
        "          the rule has no actions",
    ]


def test_what_would_go_wrong(server: Server, iot: Any) -> None:
    done = run(server, "fever", "--topic", "room/attic", "--payload", '{"celsius": 41}')
    assert done.exit_code == 1
    assert done.output.splitlines()[4:] == [
        "republish ✗ to hot",
        '          would do  {"topic":"hot","payload":{"celsius":41,"room":"attic"},"origin":{"hops":1}}',
        f"          needs     iot:Publish on arn:aws:iot:us-east-1:123456789012:topic/hot, as {ROLE}",
        f"          but       Unable to assume role {ROLE}: there is no such role in this account; "
        "create it with iam:CreateRole",
    ]


@pytest.mark.parametrize(
    ("topic", "payload", "last"),
    [
        ("room/attic", '{"celsius": 4}', "WHERE   ✗ celsius > 40 was not true: celsius is 4"),
        ("hall", "{}", "FROM    ✗ FROM 'room/+' does not match the topic hall"),
    ],
)
def test_a_rule_that_does_not_fire(server: Server, iot: Any, topic: str, payload: str, last: str) -> None:
    done = run(server, "quiet", "--topic", topic, "--payload", payload)
    assert (done.exit_code, done.output.splitlines()[-1]) == (1, last)


def test_one_that_is_disabled_says_so(server: Server, iot: Any) -> None:
    iot.disable_topic_rule(ruleName="quiet")
    done = run(server, "quiet", "--topic", "room/attic", "--payload", '{"celsius": 41}')
    iot.enable_topic_rule(ruleName="quiet")
    assert done.output.splitlines()[0] == "rule      quiet  disabled: messages do not reach it"
    assert done.exit_code == 0


def test_the_report_as_it_is(server: Server, iot: Any, tmp_path: Path) -> None:
    (tmp_path / "message.json").write_text('{"celsius": 41}')
    done = run(server, "quiet", "--topic", "$aws/rules/quiet/a/b", "--payload", f"@{tmp_path}/message.json", "--json")
    report = json.loads(done.output)
    assert (report["fires"], report["output"]) == (True, {"celsius": 41, "room": "b"})


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nothing", "--topic", "a"), "there is no such rule"),
        (("quiet", "--topic", "a", "--payload", "@/nowhere"), "/nowhere cannot be read"),
        (("quiet", "--topic", "a", "--outside", "["), "is no JSON object"),
        (("quiet", "--topic", "a", "--mqtt", '{"nope": 1, "contentType": 2}'), "Expected `str"),
        (("no/such", "--topic", "a"), "Fogbank has nothing for you at POST"),
    ],
)
def test_mistakes(server: Server, iot: Any, arguments: tuple[str, ...], complaint: str) -> None:
    done = run(server, *arguments)
    assert done.exit_code in (1, 2)
    assert complaint in done.output
