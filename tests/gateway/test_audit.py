"""The audit log: which calls are written down, and what of them."""

from typing import Any

import msgspec
import pytest
from tests.gateway import account
from tests.gateway.authorization import REFERENCE
from tests.gateway.toy import ARNS, KEY, send, serving

from fogbank.awswire.http import Request, Response
from fogbank.awswire.routes import DEVICE_SERVICES
from fogbank.errors import Forbidden
from fogbank.gateway.audit import HIDDEN, LONGEST_TEXT, Audit, _shown, is_reading
from fogbank.gateway.models import load
from fogbank.gateway.pages import Audience, Page, Visit, json_response
from fogbank.ports import Deed, Identity, StorageError
from fogbank.storage.memory import MemoryLineLog
from fogbank.testing import FakeClock

DEVICE = Identity("c" * 64, ARNS.iot("cert", "c" * 64), active=True)


class Log(MemoryLineLog):
    @property
    def events(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for line in self.lines]

    @property
    def names(self) -> list[str]:
        return [event["eventName"] for event in self.events]


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def audit(log: Log) -> Audit:
    return Audit(log, ARNS, FakeClock(1_763_910_000.5))


async def test_a_change_is_written_down(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        await there.call("iam", "create_user", UserName="bob", Tags=[{"Key": "team", "Value": "x"}])
    [event] = log.events
    request_id, agent = event.pop("requestID"), event.pop("userAgent")
    assert len(request_id) == 36
    assert "Boto3" in agent
    assert event == {
        "eventTime": "2025-11-23T15:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateUser",
        "awsRegion": ARNS.region,
        "sourceIPAddress": "127.0.0.1",
        "userIdentity": {
            "type": "Root",
            "principalId": account.ROOT[0],
            "arn": f"arn:aws:iam::{ARNS.account}:root",
            "accountId": ARNS.account,
            "accessKeyId": account.ROOT[0],
        },
        "requestParameters": {"UserName": "bob", "Tags": [{"Key": "team", "Value": "x"}]},
    }


async def test_what_only_reads_is_not(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        await there.call("iam", "list_users")
        await there.call("sts", "get_caller_identity")
    assert log.names == []


async def test_a_change_that_failed(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        with pytest.raises(Exception, match="NoSuchEntity"):
            await there.call("iam", "delete_user", UserName="nobody")
    [event] = log.events
    assert (event["eventName"], event["errorCode"]) == ("DeleteUser", "NoSuchEntity")
    assert "nobody" in event["errorMessage"]


async def test_who_may_not_is_written_down_reading_too(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        guest = await there.user("guest", account.allow("iot:Connect"))
        log.lines.clear()
        for operation, more in (("list_users", {}), ("delete_user", {"UserName": "guest"})):
            with pytest.raises(Exception, match="AccessDenied"):
                await there.call("iam", operation, guest, **more)
    assert [(one["eventName"], one["errorCode"]) for one in log.events] == [
        ("ListUsers", "AccessDeniedException"),
        ("DeleteUser", "AccessDeniedException"),
    ]
    who = log.events[0]["userIdentity"]
    assert (who["type"], who["arn"], who["accessKeyId"]) == (
        "IAMUser",
        f"arn:aws:iam::{ARNS.account}:user/guest",
        guest[0],
    )


async def test_sessions_have_their_name(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        trust = account.document({"Effect": "Allow", "Principal": {"AWS": ARNS.account}, "Action": "sts:AssumeRole"})
        role = await there.call("iam", "create_role", RoleName="r", AssumeRolePolicyDocument=trust)
        given = await there.call("sts", "assume_role", RoleArn=role["Role"]["Arn"], RoleSessionName="ann")
        keys = given["Credentials"]
        session = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        with pytest.raises(Exception, match="AccessDenied"):
            await there.call("iam", "create_user", session, UserName="eve")
    assert log.names == ["CreateRole", "AssumeRole", "CreateUser"]
    who = log.events[-1]["userIdentity"]
    assert (who["type"], who["arn"]) == ("AssumedRole", f"arn:aws:sts::{ARNS.account}:assumed-role/r/ann")


async def test_strangers_are_nobody_to_write_of(log: Log, audit: Audit) -> None:
    async with serving(audit=audit) as toy:
        assert (await send(toy.port, Request("GET", "/things", headers={"host": "x"}))).status == 403
        assert (await send(toy.port, toy.signed("GET", "/nothing/there"))).status == 404
    assert log.lines == []


# --- pages ------------------------------------------------------------------------------------------------------------


async def answer(visit: Visit) -> Response:
    if visit.names["name"] == "secret":
        raise Forbidden("not you")
    return json_response({})


def page(audience: Audience, event: str) -> Page:
    return Page(method="GET", path="/_fogbank/x/{name}", audience=audience, answer=answer, event=event)


async def test_pages_with_a_name_for_it(log: Log, audit: Audit) -> None:
    async with serving(DEVICE, audit=audit, pages=[page(Audience.DEVICES, "Ask")]) as toy:
        for name in ("a", "secret"):
            await send(toy.port, Request("GET", f"/_fogbank/x/{name}", headers={"host": "x"}))
    first, second = log.events
    assert (first["eventSource"], first["eventName"], first["requestParameters"]) == ("fogbank", "Ask", {"name": "a"})
    assert (first["userIdentity"]["type"], first["userIdentity"]["arn"]) == ("Certificate", DEVICE.arn)
    assert "errorCode" not in first
    assert (second["errorCode"], second["errorMessage"]) == ("ForbiddenException", "not you")


async def test_pages_without(log: Log, audit: Audit) -> None:
    async with serving(DEVICE, audit=audit, pages=[page(Audience.DEVICES, "")]) as toy:
        assert (await send(toy.port, Request("GET", "/_fogbank/x/a", headers={"host": "x"}))).status == 200
    assert log.lines == []


# --- what is shown ----------------------------------------------------------------------------------------------------


def shown(service: str, operation: str, params: dict[str, Any]) -> Any:
    model = load(service)
    described = model.operations[operation].input
    assert described is not None
    return _shown(params, described.shape, model)


def test_secrets_bytes_and_long_texts_stay_out() -> None:
    code = {"FunctionName": "f", "Code": {"ZipFile": b"x" * 10}, "Environment": {"Variables": {"A": "secret"}}}
    found = shown("lambda", "CreateFunction", code)
    assert found["FunctionName"] == "f"
    assert found["Code"] == {"ZipFile": HIDDEN}
    assert "secret" not in str(found)
    assert shown("iot", "CreatePolicy", {"policyName": "p", "policyDocument": "x" * 5000}) == {
        "policyName": "p",
        "policyDocument": "x" * LONGEST_TEXT + "...",
    }


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("iot", "ConfirmTopicRuleDestination", {"confirmationToken": "hush"}),
        ("iot", "TestInvokeAuthorizer", {"authorizerName": "a", "token": "hush", "tokenSignature": "hush"}),
        ("iot", "TestInvokeAuthorizer", {"httpContext": {"headers": {"authorization": "hush"}, "queryString": "hush"}}),
        ("iot", "TestInvokeAuthorizer", {"mqttContext": {"username": "hush", "password": b"hush"}}),
        ("sts", "GetSessionToken", {"TokenCode": "hush"}),
        (
            "iot",
            "CreateTopicRule",
            {"topicRulePayload": {"actions": [{"http": {"headers": [{"key": "x-api-key", "value": "hush"}]}}]}},
        ),
        (
            "iot",
            "CreateTopicRule",
            {"topicRulePayload": {"actions": [{"kafka": {"clientProperties": {"sasl.password": "hush"}}}]}},
        ),
        ("iot", "ReplaceTopicRule", {"topicRulePayload": {"errorAction": {"salesforce": {"token": "hush"}}}}),
    ],
)
def test_what_the_models_do_not_call_sensitive_and_we_do(service: str, operation: str, params: dict[str, Any]) -> None:
    found = str(shown(service, operation, params))
    assert "hush" not in found
    assert HIDDEN in found or "bytes" in found


def test_names_that_only_look_like_secrets_are_shown() -> None:
    given = {"tokenKeyName": "t", "authorizerName": "a", "tokenSigningPublicKeys": {"k": "pem"}}
    assert shown("iot", "CreateAuthorizer", given) == given
    assert shown("iot", "ListThings", {"nextToken": "t"}) == {"nextToken": "t"}


def test_lists_and_maps_are_bounded() -> None:
    tags = [{"Key": f"k{number}", "Value": "v"} for number in range(1000)]
    assert len(shown("iot", "CreateThingGroup", {"thingGroupName": "g", "tags": tags})["tags"]) < 100
    attributes = {f"a{number}": "v" for number in range(1000)}
    found = shown("iot", "CreateThing", {"thingName": "t", "attributePayload": {"attributes": attributes}})
    assert len(found["attributePayload"]["attributes"]) < 100


# --- which operations -------------------------------------------------------------------------------------------------


LEVELS = [
    (service, name, entry.level)
    for service, entries in REFERENCE.items()
    if service not in DEVICE_SERVICES
    for name, entry in entries.items()
]


@pytest.mark.parametrize(("service", "operation", "level"), LEVELS)
def test_what_reads_and_what_changes_is_as_the_reference_has_it(service: str, operation: str, level: str) -> None:
    """So that none that changes something goes unseen by its name."""
    gives = (service, operation) == ("sts", "GetSessionToken")  # keys: CloudTrail has it, though it is called Read
    assert is_reading(service, operation) is (level in ("Read", "List") and not gives)


async def test_whoever_is_given_keys_is_written_down(log: Log, audit: Audit) -> None:
    async with account.serving(audit=audit) as there:
        await there.call("sts", "get_session_token")
    assert log.names == ["GetSessionToken"]
    assert "Credentials" not in log.lines[0].decode()


# --- devices ----------------------------------------------------------------------------------------------------------


async def test_what_a_device_brings_about(log: Log, audit: Audit) -> None:
    id_ = "a" * 64
    await audit.of_device(
        Deed(name="RegisterThing", principal=id_, source_ip="10.0.0.1", details={"thing": "x" * 2000})
    )
    await audit.of_device(Deed(name="RegisterThing", principal="somebody", details={}))
    by_certificate, by_another = log.events
    assert by_certificate == {
        "eventTime": "2025-11-23T15:00:00Z",
        "eventType": "AwsServiceEvent",
        "eventSource": "iot.amazonaws.com",
        "eventName": "RegisterThing",
        "awsRegion": ARNS.region,
        "sourceIPAddress": "10.0.0.1",
        "userIdentity": {
            "type": "Certificate",
            "principalId": id_,
            "arn": ARNS.iot("cert", id_),
            "accountId": ARNS.account,
        },
        "serviceEventDetails": {"thing": "x" * LONGEST_TEXT + "..."},
    }
    assert by_another["userIdentity"]["type"] == "Unknown"
    assert by_another["userIdentity"]["arn"] is None


async def test_a_full_disk_does_not_hide_what_was_done(caplog: pytest.LogCaptureFixture) -> None:
    class Full(MemoryLineLog):
        async def append(self, line: bytes) -> None:
            raise StorageError("no space left")

    async with account.serving(audit=Audit(Full(), ARNS, FakeClock())) as there:
        assert (await there.call("iam", "create_user", UserName="bob"))["User"]["UserName"] == "bob"
    assert f"the audit log lacks CreateUser of arn:aws:iam::{ARNS.account}:root: no space left" in caplog.text
    assert KEY.secret not in caplog.text
