"""The IoT API of registering things by template, one by one (RegisterThing) or by the file.

AWS knows input files in S3 alone. Here one can be posted, too, to `/_fogbank/registrations`: a first line
`{"templateBody": "...", "roleArn": "..."}`, where the role may be missing, and the file's lines after it. The answer
has the `taskId`, and everything else goes the way of all tasks.
"""

from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote

import msgspec

from fogbank.awswire.http import Response, parse_query
from fogbank.clock import Clock
from fogbank.errors import Forbidden, InvalidRequest
from fogbank.gateway.call import AllowTo, Call, Caller, Members, operation
from fogbank.gateway.page_token import read_token, write_token
from fogbank.gateway.pages import Audience, Page, Visit, json_response
from fogbank.registry.provisioning.bulk import BulkRegistrations
from fogbank.registry.provisioning.provisioner import Provisioner
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.storage.blob_links import BlobLinks
from fogbank.storage.paging import Paging

UPLOAD_PATH = "/_fogbank/registrations"
REPORT_PATH = "/_fogbank/registrations/report"
LARGEST_UPLOAD = 64 * 1024 * 1024
"""Bytes; larger files go by S3, or in several uploads."""
LINKS = 250

PassRoles = Callable[[Caller, Iterable[str], str], Awaitable[None]]


class _CallerOnDuty(msgspec.Struct, frozen=True):
    """RegisterThing calls other operations, in the name of its caller (API reference; that the caller needs the right
    to each is UNVERIFIED, but AWS's own AWSIoTThingsRegistration names them all beside it)."""

    caller: Caller
    allow_to: AllowTo

    async def may(self, action: str, *resources: str) -> None:
        await self.allow_to(self.caller, action, *resources)


class _Order(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The first line of an upload."""

    template_body: str
    role_arn: str | None = None


class IotThingRegistrationApi:
    """RegisterThing, and StartThingRegistrationTask to ListThingRegistrationTaskReports."""

    def __init__(
        self,
        provisioner: Provisioner,
        registrations: BulkRegistrations,
        pass_roles: PassRoles,
        allow_to: AllowTo,
        url: Callable[[], str],
        clock: Clock,
    ) -> None:
        """`pass_roles` raises where a caller may not pass roles to a service, `allow_to` where it may not do what
        RegisterThing does for it; `url` is where others reach this API."""
        self._provisioner = provisioner
        self._registrations = registrations
        self._pass_roles = pass_roles
        self._allow_to = allow_to
        self._url = url
        self._links = BlobLinks(clock)

    @property
    def pages(self) -> tuple[Page, ...]:
        """Where files are posted, and where links to reports lead: their token is all that one needs."""
        return (
            Page(
                method="POST",
                path=UPLOAD_PATH,
                answer=self._upload,
                action="iot:StartThingRegistrationTask",
                limit=LARGEST_UPLOAD,
                event="UploadThingRegistrations",
            ),
            Page(method="GET", path=REPORT_PATH, audience=Audience.ANYONE, answer=self._report),
        )

    @operation("iot", "RegisterThing")
    async def register_thing(self, call: Call) -> Members:
        template = Template.parse(call.params["templateBody"], TemplateKind.REGISTRATION)
        on_duty = _CallerOnDuty(call.caller, self._allow_to)
        made = await self._provisioner.provision(template, call.params.get("parameters") or {}, on_duty=on_duty)
        return {"certificatePem": made.certificate_pem, "resourceArns": made.resource_arns}

    @operation("iot", "StartThingRegistrationTask")
    async def start_thing_registration_task(self, call: Call) -> Members:
        id_ = await self._registrations.start(
            call.params["templateBody"],
            bucket=call.params["inputFileBucket"],
            key=call.params["inputFileKey"],
            role_arn=call.params["roleArn"],
        )
        return {"taskId": id_}

    @operation("iot", "DescribeThingRegistrationTask")
    async def describe_thing_registration_task(self, call: Call) -> Members:
        progress = await self._registrations.describe(call.params["taskId"])
        task = progress.task
        return {
            "taskId": task.id,
            "creationDate": task.created,
            "lastModifiedDate": task.modified,
            "templateBody": task.template,
            "inputFileBucket": task.bucket,
            "inputFileKey": task.key,
            "roleArn": task.role_arn,
            "status": task.status.value,
            "message": task.message,
            "successCount": progress.succeeded,
            "failureCount": progress.failed,
            "percentageProgress": progress.percentage,
        }

    @operation("iot", "ListThingRegistrationTasks")
    async def list_thing_registration_tasks(self, call: Call) -> Members:
        paging = Paging(call.params.get("nextToken"), call.params.get("maxResults"))
        page = await self._registrations.page(paging, call.params.get("status"))
        return {"taskIds": page.items, "nextToken": page.next}

    @operation("iot", "StopThingRegistrationTask")
    async def stop_thing_registration_task(self, call: Call) -> Members:
        await self._registrations.stop(call.params["taskId"])
        return {}

    @operation("iot", "ListThingRegistrationTaskReports")
    async def list_thing_registration_task_reports(self, call: Call) -> Members:
        type_ = call.params["reportType"]
        digests = await self._registrations.reports(call.params["taskId"], errors=type_ == "ERRORS")
        begin = _position(call.params.get("nextToken"))
        end = begin + (call.params.get("maxResults") or LINKS)
        return {
            "resourceLinks": [self._link(digest) for digest in digests[begin:end]],
            "reportType": type_,
            "nextToken": write_token(str(end)) if end < len(digests) else None,
        }

    def _link(self, digest: str) -> str:
        return f"{self._url()}{REPORT_PATH}?token={quote(self._links.token(digest))}"

    async def _report(self, visit: Visit) -> Response:
        digest = self._links.digest(dict(parse_query(visit.request.query)).get("token", ""))
        report = None if digest is None else await self._registrations.report(digest)
        if report is None:
            raise Forbidden(
                "The address of this report has expired or was never given; ask ListThingRegistrationTaskReports anew."
            )
        return Response(200, (("content-type", "application/x-ndjson"),), report)

    async def _upload(self, visit: Visit) -> Response:
        first, _, lines = visit.request.body.partition(b"\n")
        try:
            order = msgspec.json.decode(first, type=_Order)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(f"The first line must be {{'templateBody': ..., 'roleArn': ...}}: {error}") from error
        await self._check_role(visit.caller, order.role_arn)
        id_ = await self._registrations.start_with(order.template_body, lines, role_arn=order.role_arn)
        return json_response({"taskId": id_})

    async def _check_role(self, caller: Caller | None, role_arn: str | None) -> None:
        """Without a role a task may do everything: the root alone can ask for that."""
        if caller is None or caller.device is None:
            return
        if role_arn is None:
            raise InvalidRequest("The first line must have the roleArn in whose name things are to be registered")
        await self._pass_roles(caller, [role_arn], "iot.amazonaws.com")


def _position(token: str | None) -> int:
    """Raises InvalidRequest."""
    name = read_token(token) or "0"
    if not (name.isascii() and name.isdecimal() and len(name) < 7):
        raise InvalidRequest("Invalid nextToken: pass the nextToken of the page before")
    return int(name)
