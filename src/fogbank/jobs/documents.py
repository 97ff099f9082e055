"""Job documents: where they are read from, and how a device gets them.

A document may hold placeholders for URLs of S3 objects (developer guide, create-manage-jobs, "presigned URLs"):

    ${aws:iot:s3-presigned-url:https://s3.region.amazonaws.com/bucket/key}             as it is spelled
    ${aws:iot:s3-presigned-url-v2:https://s3.region.amazonaws.com/bucket/key%3FversionId%3Dv}   URL-encoded
    ${aws:iot:s3-presigned-url-upload:https://s3.region.amazonaws.com/bucket/${thingName}/log}  to write to

They are signed each time a device is handed the document, in the name of the role of the job, and stand as they are
where nothing can be signed: no presignedUrlConfig, no endpoint for S3, or a role that may not.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from fogbank.errors import InvalidRequest, ServiceError
from fogbank.jobs.records import Execution, Job
from fogbank.ports import AwsServices, ObjectUrls, OutboundError, RoleRights
from fogbank.trace import Trace

log = logging.getLogger(__name__)

LONGEST = 32_768
"""Characters of a document."""
EXPIRES = 3600
"""Seconds that a URL is good for where the job does not say."""

_PLACEHOLDER = re.compile(
    r"\$\{aws:iot:s3-presigned-url(?P<kind>-v2|-upload)?:(?P<url>https?://(?:\$\{\w+\}|[^{}\"\s\\])+)\}", re.ASCII
)
_VARIABLE = re.compile(r"\$\{(thingName|jobId|executionNumber)\}", re.ASCII)
_S3_HOST = re.compile(r"(?:(?P<bucket>[a-z0-9.-]+)\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com(?:\.cn)?", re.ASCII)


class ObjectAddress(msgspec.Struct, frozen=True):
    """An object in S3."""

    bucket: str
    key: str
    version: str | None = None


def parse_address(url: str, endpoint: str | None = None) -> ObjectAddress:
    """The object of an S3 URL, path-style or virtual-hosted, or below the `endpoint` that stands for S3.

    Raises InvalidRequest.
    """
    parts = urlsplit(url)
    found = _S3_HOST.fullmatch(parts.hostname or "")
    path = unquote(parts.path).removeprefix("/")
    if found is not None and found["bucket"]:
        bucket, key = found["bucket"], path
    elif found is not None or (endpoint is not None and url.startswith(f"{endpoint.rstrip('/')}/")):
        bucket, _, key = path.partition("/")
    else:
        raise InvalidRequest(f"{url[:256]} is not the URL of an S3 object")
    key, _, version = key.partition("?versionId=")
    version = version or unquote(parts.query).removeprefix("versionId=")
    if not bucket or not key:
        raise InvalidRequest(f"{url[:256]} does not name a bucket and an object in it")
    return ObjectAddress(bucket, key, version or None)


def check_document(text: str) -> str:
    """The document itself, where it is JSON of an allowed length. Raises InvalidRequest."""
    if len(text) > LONGEST:
        raise InvalidRequest(f"The job document is longer than {LONGEST} characters")
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"The job document is not valid JSON: {error}") from None
    return text


class JobDocuments:
    """Reads documents from S3, and makes them ready for devices."""

    def __init__(self, aws: AwsServices, urls: ObjectUrls, roles: RoleRights, trace: Trace) -> None:
        self._aws = aws
        self._urls = urls
        self._roles = roles
        self._trace = trace

    def source(self, params: Mapping[str, Any]) -> ObjectAddress | None:
        """The object that a request with `documentSource` is about. Raises InvalidRequest."""
        source = params.get("documentSource")
        return None if source is None else parse_address(source, self._aws.url("s3"))

    async def read(self, params: Mapping[str, Any]) -> str:
        """The document of a request with `document` or `documentSource`. Raises InvalidRequest."""
        text, source = params.get("document"), params.get("documentSource")
        if (text is None) == (source is None):
            raise InvalidRequest("Either document or documentSource is needed, and not both")
        if text is not None:
            return check_document(text)
        address = parse_address(source or "", self._aws.url("s3"))
        if (obstacle := self._aws.obstacle("s3")) is not None:
            raise InvalidRequest(f"documentSource cannot be read: {obstacle}")
        request = {"Bucket": address.bucket, "Key": address.key}
        if address.version is not None:
            request["VersionId"] = address.version
        try:
            answer = await self._aws.call("s3", "GetObject", request)
            return check_document(bytes(answer["Body"]).decode())
        except OutboundError as error:
            raise InvalidRequest(f"documentSource {source} cannot be read: {error.code}: {error}") from error
        except UnicodeDecodeError:
            raise InvalidRequest(f"documentSource {source} is not UTF-8") from None

    async def for_device(self, text: str, job: Job | None, execution: Execution) -> str:
        """A document with its placeholders signed, as far as they can be."""
        config = None if job is None else job.presigned
        if job is None or config is None or config.role_arn is None or "${aws:iot:s3-" not in text:
            return text
        pieces, end = [], 0
        for found in _PLACEHOLDER.finditer(text):
            try:
                signed = await self._signed(found, job, execution, config.role_arn)
            except (ServiceError, OutboundError) as error:
                self._report(job, execution, error)
                signed = found[0]
            pieces += [text[end : found.start()], signed]
            end = found.end()
        return "".join((*pieces, text[end:]))

    async def _signed(self, found: re.Match[str], job: Job, execution: Execution, role: str) -> str:
        values = {"thingName": execution.thing, "jobId": job.id, "executionNumber": str(execution.number)}
        upload = found["kind"] == "-upload"
        url = _VARIABLE.sub(lambda name: values[name[1]], found["url"]) if upload else found["url"]
        address = parse_address(url, self._aws.url("s3"))
        if (obstacle := self._aws.obstacle("s3")) is not None:
            raise InvalidRequest(obstacle)
        action = "s3:PutObject" if upload else "s3:GetObject"
        await self._roles.check(role, action, f"arn:aws:s3:::{address.bucket}/{address.key}")
        return await self._urls.sign(
            "PUT" if upload else "GET",
            address.bucket,
            address.key,
            version=address.version,
            expires=(job.presigned and job.presigned.expires_in_sec) or EXPIRES,
        )

    def _report(self, job: Job, execution: Execution, error: ServiceError | OutboundError) -> None:
        reason = f"a URL in the document for {execution.thing} is not signed: {error}"
        log.info("job %s: %s", job.id, reason)
        self._trace.emit("job", "failure", name=job.id, reason=reason)
