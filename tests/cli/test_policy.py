"""`fogbank policy simulate`: what it says, and how it ends."""

import datetime
import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.cli.server import BIN, Server

from fogbank.cli.policy import policy

ARN = "arn:aws:iot:us-east-1:123456789012:"
THING = "${iot:Connection.Thing.ThingName}"
LAMP: list[dict[str, Any]] = [
    {
        "Effect": "Allow",
        "Action": "iot:Connect",
        "Resource": f"arn:aws:iot:*:*:client/{THING}",
        "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
    },
    {
        "Effect": "Allow",
        "Action": ["iot:Publish", "iot:Receive"],
        "Resource": f"arn:aws:iot:*:*:topic/device/{THING}/*",
    },
    {"Sid": "NoAdmin", "Effect": "Deny", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/*/admin"},
]


def run(*arguments: str | Path, **environment: str) -> Result:
    nowhere = {"AWS_ENDPOINT_URL": None, "AWS_REGION": None, "AWS_DEFAULT_REGION": None, "FOGBANK_DATA": "/nowhere"}
    return CliRunner(env={**nowhere, **environment}).invoke(policy, ["simulate", *map(str, arguments)])


def document(path: Path, *statements: dict[str, Any], **members: Any) -> Path:
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": statements} | members))
    return path


def allow(action: str, resource: str = "*", **members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource} | members


def answers(*arguments: str | Path) -> list[dict[str, Any]]:
    result = run(*arguments, "--json")
    assert result.exit_code in (0, 1), result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def lamp(tmp_path: Path) -> Path:
    return document(tmp_path / "lamp.json", *LAMP)


# --- what it says -----------------------------------------------------------------------------------------------


def test_what_is_allowed(lamp: Path) -> None:
    result = run("--policy", lamp, "--thing", "lamp", "--connect", "lamp", "--publish", "device/lamp/x")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        f"ALLOWED statement 1 of policy '{lamp}' allows iot:Connect on {ARN}client/lamp",
        "        iot:Connection.Thing.ThingName = lamp",
        "        iot:Connection.Thing.IsAttached = true",
        f"ALLOWED statement 2 of policy '{lamp}' allows iot:Publish on {ARN}topic/device/lamp/x",
        "        iot:Connection.Thing.ThingName = lamp",
    ]


def test_what_a_statement_denies(lamp: Path) -> None:
    result = run("--policy", lamp, "--thing", "lamp", "--publish", "device/lamp/admin")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0] == (
        f"DENIED  statement 3 ('NoAdmin') of policy '{lamp}' denies iot:Publish on {ARN}topic/device/lamp/admin,"
        " as on arn:aws:iot:*:*:topic/*/admin"
    )


def test_what_no_statement_allows(lamp: Path) -> None:
    result = run("--policy", lamp, "--client-id", "intruder", "--publish", "device/lamp/x")
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith(
        f"DENIED  no statement of policy '{lamp}' allows iot:Publish on {ARN}topic/device/lamp/x; add "
    )
    assert f"Nearest: statement 2 allows iot:Publish on arn:aws:iot:*:*:topic/device/{THING}/*" in first
    assert second == "        iot:Connection.Thing.ThingName has no value: no thing is attached to the certificate"


def test_for_programs(lamp: Path) -> None:
    allowed, denied, missing = answers(
        "--policy", lamp, "--thing", "lamp", "--publish", "device/lamp/x", "--publish", "a/admin", "--receive", "a"
    )
    assert allowed == {
        "allowed": True,
        "action": "iot:Publish",
        "resource": f"{ARN}topic/device/lamp/x",
        "reason": f"statement 2 of policy '{lamp}' allows iot:Publish on {ARN}topic/device/lamp/x",
        "policy": str(lamp),
        "statement": 2,
        "sid": None,
        "variables": {"iot:Connection.Thing.ThingName": "lamp"},
    }
    assert (denied["allowed"], denied["policy"], denied["statement"], denied["sid"]) == (
        False,
        str(lamp),
        3,
        "NoAdmin",
    )
    assert (missing["allowed"], missing["policy"], missing["statement"]) == (False, None, None)


def test_one_denial_among_many_is_a_denial(lamp: Path) -> None:
    result = run("--policy", lamp, "--thing", "lamp", "--publish", "device/lamp/x", "--subscribe", "#")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines() if line[0] != " "] == ["ALLOWED", "DENIED"]


def test_several_policies(lamp: Path, tmp_path: Path) -> None:
    more = document(tmp_path / "more.json", allow("iot:Subscribe"))
    [answer] = answers("--policy", lamp, "--policy", more, "--subscribe", "#")
    assert (answer["allowed"], answer["policy"]) == (True, str(more))


def test_a_policy_cannot_move_the_cursor(tmp_path: Path) -> None:
    nasty = document(tmp_path / "p.json", allow("iot:Publish", "\x1b[2J"))
    result = run("--policy", nasty, "--publish", "a")
    assert r"\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout


# --- what is asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "action", "resource"),
    [
        (["--connect", "c/1"], "iot:Connect", ARN + "client/c/1"),
        (["--publish", "$aws/things/x/shadow/get"], "iot:Publish", ARN + "topic/$aws/things/x/shadow/get"),
        (["--subscribe", "a/+/#"], "iot:Subscribe", ARN + "topicfilter/a/+/#"),
        (["--receive", "a"], "iot:Receive", ARN + "topic/a"),
        (["--action", "iot:GetThingShadow", "--resource", "thing/x/y"], "iot:GetThingShadow", ARN + "thing/x/y"),
        (
            ["--action", "iot:Publish", "--resource", "arn:aws:iot:r:a:topic/x"],
            "iot:Publish",
            "arn:aws:iot:r:a:topic/x",
        ),
        (["--action", "iot:ListRetainedMessages", "--resource", "*"], "iot:ListRetainedMessages", "*"),
        (
            ["--region", "r", "--account-id", "9", "--action", "iot:Connect", "--resource", "client/x"],
            "iot:Connect",
            "arn:aws:iot:r:9:client/x",
        ),
    ],
)
def test_ways_to_ask(lamp: Path, asked: list[str], action: str, resource: str) -> None:
    [answer] = answers("--policy", lamp, *asked)
    assert (answer["action"], answer["resource"]) == (action, resource)


def test_the_region_is_that_of_the_environment(lamp: Path) -> None:
    assert (
        "arn:aws:iot:eu-north-1:123456789012:topic/a"
        in run("--policy", lamp, "--publish", "a", AWS_REGION="eu-north-1").stdout
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--publish", "a"], [None]),
        (["--publish", "a", "--client-id", "c"], ["c"]),
        (["--publish", "a", "--thing", "t"], ["t"]),
        (["--publish", "a", "--thing", "t", "--client-id", "c"], ["c"]),
        (["--connect", "c", "--publish", "a", "--thing", "t"], ["c", "c"]),
        (["--connect", "c", "--connect", "d"], ["c", "d"]),
        (["--connect", "c", "--connect", "d", "--publish", "a", "--client-id", "e"], ["c", "d", "e"]),
        (["--connect", "c", "--will-topic", "w"], ["c", "c"]),
        (["--action", "iot:connect", "--resource", "client/c"], ["c"]),
        (["--action", "iot:connect", "--resource", "client/c", "--client-id", "d"], ["d"]),
    ],
)
def test_who_asks(tmp_path: Path, options: list[str], expected: list[str | None]) -> None:
    file = document(tmp_path / "p.json", allow("iot:*", "arn:aws:iot:*:*:*/${iot:ClientId}"))
    assert [answer["variables"]["iot:ClientId"] for answer in answers("--policy", file, *options)] == expected


@pytest.mark.parametrize(
    ("condition", "options", "value", "allowed"),
    [
        ({"Bool": {"iot:Connection.Thing.IsAttached": "true"}}, ["--thing", "c"], "true", True),
        ({"Bool": {"iot:Connection.Thing.IsAttached": "true"}}, ["--thing", "d"], "false", False),
        ({"Bool": {"iot:Connection.Thing.IsAttached": "true"}}, ["--thing", "d", "--exclusive"], "true", True),
        ({"Bool": {"iot:Connection.Thing.IsAttached": "false"}}, ["--no-thing"], "false", True),
        ({"StringEquals": {"iot:Connection.Thing.ThingTypeName": "bulb"}}, ["--thing", "c"], None, False),
        (
            {"StringEquals": {"iot:Connection.Thing.ThingTypeName": "bulb"}},
            ["--thing", "c", "--thing-type", "bulb"],
            "bulb",
            True,
        ),
        (
            {"StringEquals": {"iot:Connection.Thing.Attributes[room]": "a=b"}},
            ["--thing", "c", "--attribute", "room=a=b"],
            "a=b",
            True,
        ),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, ["--source-ip", "10.1.1.1"], "10.1.1.1", True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, [], None, False),
        ({"ForAllValues:StringEquals": {"iot:ConnectAttributes": []}}, [], [], True),
        (
            {"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["LastWill"]}},
            ["--persistent"],
            "PersistentConnect",
            False,
        ),
        (
            {"ForAllValues:StringEquals": {"iot:ConnectAttributes": ["LastWill", "PersistentConnect"]}},
            ["--persistent", "--will-topic", "w"],
            ["PersistentConnect", "LastWill"],
            True,
        ),
        ({"ArnEquals": {"iot:LastWillTopic": f"{ARN}topic/w"}}, ["--will-topic", "w"], f"{ARN}topic/w", True),
        ({"ArnEquals": {"iot:LastWillTopic": f"{ARN}topic/w"}}, [], None, False),
    ],
)
def test_what_conditions_look_at(
    tmp_path: Path, condition: dict[str, Any], options: list[str], value: object, allowed: bool
) -> None:
    file = document(tmp_path / "p.json", allow("iot:Connect", Condition=condition))
    connect = answers("--policy", file, "--connect", "c", *options)[0]
    assert connect["allowed"] is allowed
    assert [*connect["variables"].values()] == [value]


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("iot:ClientId", [], "no client ID was given"),
        ("aws:SourceIp", [], "no source IP was given"),
        ("iot:Connection.Thing.ThingName", [], "no client ID was given"),
        ("iot:Connection.Thing.ThingName", ["--client-id", "c"], "no thing is attached to the certificate"),
        (
            "iot:Connection.Thing.ThingName",
            ["--client-id", "c", "--thing", "t"],
            "the client ID 'c' is not the name of the thing that is attached, 't'",
        ),
        ("iot:Connection.Thing.ThingTypeName", ["--thing", "t"], "thing 't' has no type"),
        ("iot:Certificate.Subject.CommonName", [], "no certificate was given"),
        ("iot:LastWillTopic", [], "only iot:Connect with a last will has it"),
    ],
)
def test_why_a_variable_has_no_value(tmp_path: Path, name: str, options: list[str], why: str) -> None:
    file = document(tmp_path / "p.json", allow("iot:Publish", f"arn:aws:iot:*:*:topic/${{{name}}}"))
    result = run("--policy", file, "--publish", "a", *options)
    assert result.stdout.splitlines()[-1] == f"        {name} has no value: {why}"


def test_a_condition_key_may_be_given(tmp_path: Path) -> None:
    condition = {
        "ForAllValues:StringEquals": {"iot:Topic": ["a", "b"]},
        "StringEquals": {"iot:DomainName": "d.example"},
    }
    file = document(tmp_path / "p.json", allow("iot:SendDirectMessage", Condition=condition))
    asked = (
        "--policy",
        file,
        "--action",
        "iot:SendDirectMessage",
        "--resource",
        "client/c",
        "--domain-name",
        "D.example",
    )
    [both] = answers(*asked, "--context", "iot:Topic=a", "--context", "iot:Topic=b")
    assert both["allowed"]
    assert both["variables"] == {"iot:Topic": ["a", "b"], "iot:DomainName": "d.example"}
    [other] = answers(*asked, "--context", "iot:Topic=c=d")
    assert (other["allowed"], other["variables"]["iot:Topic"]) == (False, "c=d")


def test_the_policies_of_a_things_groups_count_where_the_thing_does(tmp_path: Path, lamp: Path) -> None:
    file = document(tmp_path / "group.json", {"Effect": "Deny", "Action": "iot:*", "Resource": "*"})
    asked = ("--policy", lamp, "--group-policy", file, "--thing", "lamp", "--connect", "lamp")
    [answer] = answers(*asked)
    assert (answer["allowed"], answer["policy"]) == (False, str(file))
    [answer] = answers(*asked[:-1], "other")
    assert (answer["allowed"], answer["policy"]) == (False, None)
    [answer] = answers(*asked[:-1], "other", "--exclusive")
    assert answer["policy"] == str(file)


def test_what_is_to_be_retained_must_be_allowed_to_be(lamp: Path) -> None:
    asked = ("--policy", lamp, "--thing", "lamp", "--retain")
    publish, retain = answers(*asked, "--publish", "device/lamp/x")
    assert [(one["action"], one["allowed"]) for one in (publish, retain)] == [
        ("iot:Publish", True),
        ("iot:RetainPublish", False),
    ]
    will = answers(*asked, "--connect", "lamp", "--will-topic", "device/lamp/x")
    assert [one["action"] for one in will] == ["iot:Connect", "iot:Publish", "iot:RetainPublish"]


def test_a_will_must_be_allowed_too(lamp: Path) -> None:
    connect, will = answers("--policy", lamp, "--thing", "lamp", "--connect", "lamp", "--will-topic", "elsewhere")
    assert (connect["allowed"], will["allowed"]) == (True, False)
    assert (will["action"], will["resource"]) == ("iot:Publish", f"{ARN}topic/elsewhere")


def test_the_certificates_own_variables(tmp_path: Path) -> None:
    file = document(
        tmp_path / "p.json",
        allow("iot:Publish", "arn:aws:iot:*:*:topic/${iot:Certificate.Subject.CommonName}/${iot:CertificateId}"),
    )
    pem, id_ = certificate("lamp")
    (tmp_path / "lamp.pem").write_bytes(pem)
    [answer] = answers("--policy", file, "--certificate", tmp_path / "lamp.pem", "--publish", f"lamp/{id_}")
    assert answer["allowed"]
    assert answer["variables"] == {"iot:Certificate.Subject.CommonName": "lamp", "iot:CertificateId": id_}


def certificate(name: str) -> tuple[bytes, str]:
    """A certificate in PEM and its ID."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + datetime.timedelta(9000))
    ).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), made.fingerprint(hashes.SHA256()).hex()


# --- what is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"Version": "2012-10-17"', ": not JSON: Input data was truncated"),
        ('{\n "Version": oops}', ": not JSON: JSON is malformed: invalid character (line 2, column 13)"),
        ('{"Version": "2012-10-17"}', ": the document has no Statement"),
        ('{"Statement": [{"Effect": "allow"}]}', ", Statement[1].Effect: must be 'Allow' or 'Deny', not 'allow'"),
        (
            '{"Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": []}}',
            ", Statement[1].Resource: must not be empty",
        ),
    ],
)
def test_a_malformed_policy(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(text)
    result = run("--policy", file, "--publish", "a")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: policy '{file}'{said}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give the documents with --policy FILE"),
        (["--policy", "P"], "ask something"),
        (["--policy", "P", "--action", "iot:Publish"], "--action and --resource go together"),
        (["--policy", "P", "--resource", "topic/a"], "--action and --resource go together"),
        (["--policy", "P", "--action", "Publish", "--resource", "topic/a"], "write iot:Publish"),
        (
            ["--policy", "P", "--action", "iot:Publish", "--resource", "device/a"],
            "neither an ARN nor one of client/...",
        ),
        (["--policy", "P", "--publish", "a/+"], "only filters may"),
        (["--policy", "P", "--receive", ""], "is empty"),
        (["--policy", "P", "--subscribe", "#/a"], "levels after '#'"),
        (["--policy", "P", "--publish", "a\udcff"], "Invalid value for --publish: is not UTF-8"),
        (["--policy", "P", "--publish", "a", "--will-topic", "w"], "ask with --connect"),
        (["--policy", "P", "--publish", "a", "--persistent"], "ask with --connect"),
        (["--policy", "P", "--connect", "a", "--will-topic", "#"], "Invalid value for --will-topic"),
        (["--policy", "P", "--connect", "a", "--connect", "b", "--publish", "a"], "say with --client-id"),
        (["--policy", "P", "--publish", "a", "--source-ip", "10.0"], "is no IP address"),
        (["--policy", "P", "--publish", "a", "--thing-type", "bulb"], "name it with --thing"),
        (["--policy", "P", "--publish", "a", "--thing", "a", "--no-thing"], "exclude one another"),
        (["--policy", "P", "--publish", "a", "--thing", "a", "--attribute", "x"], "'x' is not KEY=VALUE"),
        (["--policy", "P", "--publish", "a", "--certificate", "P"], "holds no certificate in PEM"),
        (["--policy", "P", "--publish", "a", "--group-policy", "P"], "name it with --thing"),
        (["--policy", "P", "--publish", "a", "--context", "x"], "Invalid value for --context: 'x' is not KEY=VALUE"),
        (["--policy", "P", "--receive", "a", "--retain"], "ask with --publish TOPIC"),
        (["--principal", "x", "--publish", "a", "--group-policy", "P"], "--group-policy is known to the registry"),
        (["--policy", "P", "--publish", "a", "--data", "D"], "--data is where --principal is looked up"),
        (["--principal", "x", "--publish", "a", "--thing", "t"], "--thing is known to the registry"),
        (["--principal", "x", "--publish", "a", "--account-id", "1"], "--account-id is known to the registry"),
        (["--principal", "x", "--publish", "a"], "no Fogbank runs on /nowhere"),
    ],
)
def test_wrong_usage(lamp: Path, arguments: list[str], said: str) -> None:
    result = run(*(str(lamp) if one == "P" else one for one in arguments))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.split())


def test_what_is_hardly_meant_is_pointed_out(tmp_path: Path) -> None:
    old = document(
        tmp_path / "old.json", allow("iot:*", "arn:aws:iot:*:*:client/${iot:ClientId}"), Version="2008-10-17"
    )
    result = run("--policy", old, "--action", "iot:Subscribe", "--resource", "topic/a")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f'note: policy \'{old}\' lacks "Version": "2012-10-17": its ${{...}} are plain text',
        f"note: iot:Subscribe is never checked on {ARN}topic/a, only on topicfilter/...",
    ]


@pytest.mark.parametrize(
    ("action", "resource", "note"),
    [
        ("iot:Publsh", "topic/a", "iot:Publsh is no action that is decided on by IoT policies"),
        (
            "iot:ListRetainedMessages",
            "topic/a",
            f"iot:ListRetainedMessages is never checked on {ARN}topic/a, only on *",
        ),
        ("iot:ListRetainedMessages", "*", None),
        ("iotjobsdata:UpdateJobExecution", "thing/a", None),
        ("lambda:InvokeFunction", "*", None),
        ("IOT:deleteConnection", "client/a", None),
    ],
)
def test_what_is_never_asked_is_pointed_out(lamp: Path, action: str, resource: str, note: str | None) -> None:
    result = run("--policy", lamp, "--action", action, "--resource", resource)
    assert result.stderr == ("" if note is None else f"note: {note}\n")


# --- of a running instance --------------------------------------------------------------------------------------


def test_of_a_real_instance(server: Server, tmp_path: Path) -> None:
    ready = server.ready
    iot = boto3.session.Session(ready["access_key_id"], ready["secret_access_key"], region_name=ready["region"]).client(
        "iot", endpoint_url=ready["api"]
    )
    iot.create_thing_type(thingTypeName="bulb")
    iot.create_thing(thingName="lamp", thingTypeName="bulb", attributePayload={"attributes": {"room": "hall"}})
    made = iot.create_keys_and_certificate(setAsActive=False)
    statement = allow("iot:Publish", "arn:aws:iot:*:*:topic/${iot:Connection.Thing.Attributes[room]}/${iot:ClientId}")
    iot.create_policy(
        policyName="halls", policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    iot.attach_policy(policyName="halls", target=made["certificateArn"])
    iot.attach_thing_principal(thingName="lamp", principal=made["certificateArn"], thingPrincipalType="EXCLUSIVE_THING")
    group = iot.create_thing_group(thingGroupName="house")["thingGroupArn"]
    iot.add_thing_to_thing_group(thingGroupName="house", thingName="lamp")
    receive = {"Version": "2012-10-17", "Statement": [allow("iot:Receive")]}
    iot.create_policy(policyName="grouped", policyDocument=json.dumps(receive))
    iot.attach_policy(policyName="grouped", target=group)
    iot.close()

    def simulate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [BIN / "fogbank", "policy", "simulate", "--json", *arguments]
        return subprocess.run(command, env=server.environment, capture_output=True, text=True, check=False)

    done = simulate("--principal", made["certificateId"], "--connect", "x", "--publish", "hall/x")
    assert done.returncode == 1
    assert done.stderr == "note: certificate is INACTIVE: it cannot connect, whatever its policies allow\n"
    connect, publish = map(json.loads, done.stdout.splitlines())
    assert (connect["allowed"], connect["variables"]) == (False, {})
    assert (publish["allowed"], publish["policy"], publish["statement"]) == (True, "halls", 1)
    assert publish["variables"] == {"iot:Connection.Thing.Attributes[room]": "hall", "iot:ClientId": "x"}

    done = simulate("--principal", made["certificateId"], "--receive", "a", "--client-id", "x")
    assert (done.returncode, json.loads(done.stdout)["policy"]) == (0, "grouped")

    more = document(tmp_path / "more.json", allow("iot:Connect"))
    done = simulate("--principal", made["certificateArn"], "--policy", more, "--connect", "x", "--data", server.data)
    assert (done.returncode, json.loads(done.stdout)["policy"]) == (0, str(more))

    done = simulate("--principal", "0" * 64, "--connect", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ResourceNotFoundException" in done.stderr
