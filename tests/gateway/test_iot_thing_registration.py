"""RegisterThing and bulk registration as boto3 sees them, and the pages that take files and give reports."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from tests.gateway.served import Served, serving
from tests.gateway.toy import ARNS, send
from tests.gateway.toy import serving as serving_pages
from tests.registry import pki
from tests.registry.published import Published

from fogbank.awswire.http import Request
from fogbank.clock import SystemClock
from fogbank.errors import Forbidden, InvalidRequest
from fogbank.gateway.call import Caller
from fogbank.gateway.iot_thing_registration import REPORT_PATH, UPLOAD_PATH, IotThingRegistrationApi
from fogbank.gateway.pages import Visit
from fogbank.identity.iam.errors import AccessDenied
from fogbank.outbound import Outbound
from fogbank.ports import Identity
from fogbank.registry.certificate_checks import id_of
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.provisioning import input_file
from fogbank.registry.provisioning.bulk import BulkRegistrations
from fogbank.registry.registry import Registry
from fogbank.settings import Endpoints
from fogbank.storage import blob_links
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing import FakeClock

URL = "https://fogbank.example:4566"
ROLE = "arn:aws:iam::123456789012:role/registration"
NAME_ONLY = {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}}
PARAMETERS = {"Name": {"Type": "String"}, "Pem": {"Type": "String"}}
THINGS = json.dumps({"Parameters": PARAMETERS, "Resources": {"thing": NAME_ONLY}})
WHOLE = json.dumps(
    {
        "Parameters": PARAMETERS,
        "Resources": {
            "thing": NAME_ONLY,
            "certificate": {"Type": "AWS::IoT::Certificate", "Properties": {"CertificatePem": {"Ref": "Pem"}}},
            "rights": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": "rights"}},
        },
    }
)
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


class Platform:
    """What stands behind the API."""

    def __init__(self, directory: Path) -> None:
        clock, documents = SystemClock(), MemoryDocuments()
        self.registry = Registry(documents, ARNS, clock, OwnCa(directory / "ca", clock).devices, Published())
        self.out = Outbound(Endpoints(), "us-east-1", clock)
        provisioner = self.registry.provisioner
        self.registrations = BulkRegistrations(documents, MemoryBlobs(), provisioner, self.out.aws, clock)
        self.passed: list[tuple[str, ...]] = []
        self.links = FakeClock()
        self.forbidden: set[str] = set()
        """Actions that nobody may do."""
        self.api = IotThingRegistrationApi(
            provisioner, self.registrations, self._pass, self._allow, lambda: URL, self.links
        )

    async def _pass(self, caller: Caller, roles: Iterable[str], service: str) -> None:
        self.passed.append((caller.principal, *roles, service))
        if caller.principal == "nobody":
            raise Forbidden("no")

    async def _allow(self, caller: Caller, action: str, *resources: str) -> None:
        if action in self.forbidden:
            raise AccessDenied(f"{action} on {', '.join(resources)}")

    async def ended(self, id_: str) -> None:
        while (await self.registrations.describe(id_)).task.open:  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    platform = Platform(tmp_path)
    yield platform
    await platform.registrations.close()
    await platform.registry.close()
    await platform.out.close()


@pytest.fixture
async def iot(platform: Platform) -> AsyncIterator[Served]:
    async with serving([platform.api]) as served:
        yield served


async def refused(iot: Served, operation: str, **params: Any) -> str:
    """Code and text of the error."""
    with pytest.raises(ClientError) as told:
        await iot.call(operation, **params)
    error = told.value.response["Error"]
    return f"{told.value.response['ResponseMetadata']['HTTPStatusCode']} {error['Code']}: {error['Message']}"


@pytest.mark.parametrize(
    ("action", "on"),
    [
        ("iot:RegisterCertificate", "*"),
        ("iot:AttachPolicy", ":cert/"),
        ("iot:CreateThing", ":thing/lamp"),
        ("iot:AttachThingPrincipal", ":cert/"),
    ],
)
async def test_register_thing_does_nothing_that_its_caller_may_not(
    platform: Platform, iot: Served, action: str, on: str
) -> None:
    """Who may register things by template and nothing else would else write policies, and hold certificates of them."""
    ca = pki.Authority()
    await platform.registry.ca_certificates.register(
        ca.pem, ca.verification(await platform.registry.registration_codes.get()), active=True
    )
    await platform.registry.policies.create("rights", POLICY)
    parameters = {"Name": "lamp", "Pem": pki.pem(ca.issue())}
    platform.forbidden = {action}
    told = await refused(iot, "register_thing", templateBody=WHOLE, parameters=parameters)
    assert told.startswith(f"403 AccessDeniedException: {action} on ")
    assert on in told
    assert await platform.registry.records.certificates.scan() == []
    assert await platform.registry.records.things.scan() == []
    platform.forbidden = set()
    assert await iot.call("register_thing", templateBody=WHOLE, parameters=parameters)


async def test_register_thing(platform: Platform, iot: Served) -> None:
    ca = pki.Authority()
    await platform.registry.ca_certificates.register(
        ca.pem, ca.verification(await platform.registry.registration_codes.get()), active=True
    )
    await platform.registry.policies.create("rights", POLICY)
    issued = ca.issue()
    answer = await iot.call("register_thing", templateBody=WHOLE, parameters={"Name": "lamp", "Pem": pki.pem(issued)})
    assert answer == {
        "certificatePem": pki.pem(issued),
        "resourceArns": {
            "thing": ARNS.iot("thing", "lamp"),
            "certificate": ARNS.iot("cert", id_of(issued)),
            "rights": ARNS.iot("policy", "rights"),
        },
    }
    answer = await iot.call("register_thing", templateBody=THINGS, parameters={"Name": "other"})
    assert answer == {"resourceArns": {"thing": ARNS.iot("thing", "other")}}


@pytest.mark.parametrize(
    ("template", "parameters", "error"),
    [
        ("", {}, "400 InvalidRequestException: Invalid registration template. Template format error: JSON not well-"),
        ("{}", {}, "400 InvalidRequestException: Invalid registration template. Resources"),
        (THINGS, {}, "400 ResourceRegistrationFailureException: Parameter Name has neither"),
        (THINGS, {"Name": "a b"}, "400 ResourceRegistrationFailureException: 1 validation error detected: Value 'a b'"),
        (WHOLE, {"Name": "a", "Pem": "x"}, "400 ResourceRegistrationFailureException: The text is not an X.509"),
        (THINGS, {"Name": "x" * 4097}, "400 InvalidRequestException: 1 validation error detected"),
        ("x" * 10_241, {}, "400 InvalidRequestException: 1 validation error detected"),
    ],
)
async def test_what_register_thing_refuses(iot: Served, template: str, parameters: dict[str, str], error: str) -> None:
    assert (await refused(iot, "register_thing", templateBody=template, parameters=parameters)).startswith(error)


async def test_a_conflict_says_which(platform: Platform, iot: Served) -> None:
    thing = {**NAME_ONLY, "OverrideSettings": {"ThingGroups": "FAIL"}}
    thing["Properties"] = {"ThingName": "a", "ThingGroups": []}
    template = json.dumps({"Resources": {"thing": thing}})
    await iot.call("register_thing", templateBody=template)
    error = await refused(iot, "register_thing", templateBody=template)
    assert (
        error == "409 ResourceConflictsException: a exists already, and OverrideSettings say FAIL for its ThingGroups"
    )


async def test_the_life_of_a_task(platform: Platform, iot: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_file, "LINES", 2)
    lines = b"\n".join(json.dumps({"Name": name}).encode() for name in ("a", "b", "c d", "e", "f"))
    async with serving_pages(pages=platform.api.pages) as toy:
        body = json.dumps({"templateBody": THINGS}).encode() + b"\n" + lines
        answer = await send(toy.port, toy.signed("POST", UPLOAD_PATH, body=body))
        assert answer.status == 200
        id_ = answer.json["taskId"]
        await platform.ended(id_)
        described = await iot.call("describe_thing_registration_task", taskId=id_)
        assert described.pop("creationDate") <= described.pop("lastModifiedDate")
        assert described == {
            "taskId": id_,
            "templateBody": THINGS,
            "inputFileBucket": "fogbank-upload",
            "inputFileKey": "lines",
            "status": "Completed",
            "successCount": 4,
            "failureCount": 1,
            "percentageProgress": 100,
        }
        assert (await iot.call("list_thing_registration_tasks", status="Completed"))["taskIds"] == [id_]
        assert (await iot.call("list_thing_registration_tasks", status="Failed"))["taskIds"] == []

        told = await iot.call("list_thing_registration_task_reports", taskId=id_, reportType="ERRORS")
        assert told["reportType"] == "ERRORS"
        [link] = told["resourceLinks"]
        assert link.startswith(f"{URL}{REPORT_PATH}?token=")
        where = urlsplit(link)
        request = Request("GET", where.path, where.query, {"host": "x"}, b"")
        report = await send(toy.port, request)
        assert (report.status, report.headers["content-type"]) == (200, "application/x-ndjson")
        assert json.loads(report.body)["lineNumber"] == 3

        links, token = [], None
        while True:
            page: dict[str, str] = {} if token is None else {"nextToken": token}
            told = await iot.call(
                "list_thing_registration_task_reports", taskId=id_, reportType="RESULTS", maxResults=2, **page
            )
            links += told["resourceLinks"]
            token = told.get("nextToken")
            if token is None:
                break
        assert len(links) == 3

        await platform.links.advance(blob_links.LIFETIME + 1)
        late, forged = await send(toy.port, request), Request("GET", REPORT_PATH, "token=a.1.b", {"host": "x"}, b"")
        assert (late.status, (await send(toy.port, forged)).status) == (403, 403)
    error = await refused(iot, "stop_thing_registration_task", taskId=id_)
    assert error == f"400 InvalidRequestException: Registration task {id_} is Completed and cannot be stopped"


async def test_a_task_is_stopped(platform: Platform, iot: Served) -> None:
    lines = b"\n".join(b'{"Name": "thing-%d"}' % n for n in range(3000))
    id_ = await platform.registrations.start_with(THINGS, lines)
    await iot.call("stop_thing_registration_task", taskId=id_)
    await platform.ended(id_)
    described = await iot.call("describe_thing_registration_task", taskId=id_)
    assert described["status"] == "Cancelled"
    assert described["percentageProgress"] < 100


async def test_without_an_endpoint_the_bucket_cannot_be_reached(iot: Served) -> None:
    where = {"inputFileBucket": "bucket", "inputFileKey": "key", "roleArn": ROLE}
    error = await refused(iot, "start_thing_registration_task", templateBody=THINGS, **where)
    assert error.startswith(
        "400 InvalidRequestException: The input file is in S3, which cannot be reached: there is no"
    )
    error = await refused(iot, "start_thing_registration_task", templateBody="{}", **where)
    assert error.startswith("400 InvalidRequestException: Invalid registration template")


@pytest.mark.parametrize("operation", ["describe_thing_registration_task", "stop_thing_registration_task"])
async def test_what_is_not_there(iot: Served, operation: str) -> None:
    assert (await refused(iot, operation, taskId="nothing")).startswith("404 ResourceNotFoundException: ")


@pytest.mark.parametrize("token", ["LTE=", "eA==", "OTk5OTk5OTk=", "?"])
async def test_a_token_of_somebody_else(platform: Platform, iot: Served, token: str) -> None:
    id_ = await platform.registrations.start_with(THINGS, b"")
    params = {"taskId": id_, "reportType": "RESULTS", "nextToken": token}
    error = await refused(iot, "list_thing_registration_task_reports", **params)
    assert error.startswith("400 InvalidRequestException: Invalid nextToken")


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b'{"templateBody": 1}', b'{"roleArn": "a"}', b'{"templateBody": "{}", "x": 1}', b"\xff", b"[" * 9999],
)
async def test_an_upload_begins_with_the_template(platform: Platform, body: bytes) -> None:
    async with serving_pages(pages=platform.api.pages) as toy:
        answer = await send(toy.port, toy.signed("POST", UPLOAD_PATH, body=body))
        assert answer.status == 400
        assert b"The first line must be" in answer.body
        unsigned = await send(toy.port, Request("POST", UPLOAD_PATH, "", {"host": "x"}, body))
        assert unsigned.status == 403


async def test_users_register_in_the_name_of_a_role_they_may_pass(platform: Platform) -> None:
    """Without a role a task may do everything, and so may whoever starts one."""
    [upload, _] = platform.api.pages

    async def post(principal: str, **members: str) -> None:
        body = json.dumps({"templateBody": THINGS, **members}).encode()
        device = Identity(principal, ARNS.iot("user", principal), active=True)
        caller = Caller(principal, device.arn, device=device)
        await upload.answer(Visit(Request("POST", UPLOAD_PATH, "", {}, body), {}, "1", caller))

    with pytest.raises(InvalidRequest, match="must have the roleArn"):
        await post("user")
    with pytest.raises(Forbidden):
        await post("nobody", roleArn=ROLE)
    assert (await platform.registrations.page(Paging())).items == []
    await post("user", roleArn=ROLE)
    assert platform.passed == [("nobody", ROLE, "iot.amazonaws.com"), ("user", ROLE, "iot.amazonaws.com")]
