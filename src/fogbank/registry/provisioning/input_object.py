"""Fetches the input file of a bulk registration from S3, or whatever speaks S3's API, part by part."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.ports import AwsServices, Blobs, OutboundError
from fogbank.registry.provisioning.input_file import PART, Cutter
from fogbank.registry.provisioning.tasks import Part, RegistrationTask

RETRY_DELAYS = (1.0, 4.0, 15.0)
"""Seconds before each further try of what may pass."""


class Unfetched(FogbankError):
    """The file could not be had; the text is for the task's message."""


class InputObject:
    """The object that a task names."""

    def __init__(self, aws: AwsServices, blobs: Blobs, clock: Clock) -> None:
        self._aws = aws
        self._blobs = blobs
        self._clock = clock

    async def fetch(self, task: RegistrationTask) -> AsyncIterator[RegistrationTask]:
        """The task again and again with more of its file, from where it stands to where all of it is there.

        Raises Unfetched, InvalidRequest. An object that is written anew meanwhile is not mixed with what it was.
        """
        cutter = await self._cutter(task.parts)
        begin = cutter.position
        while not task.fetched:
            body, task = await self._piece(task, begin)
            begin += len(body)
            fetched = begin >= task.size or not body
            found = [*cutter.feed(body), *(cutter.end() if fetched else ())]
            parts = [msgspec.structs.replace(part, digest=await self._blobs.put(content)) for content, part in found]
            task = msgspec.structs.replace(task, parts=(*task.parts, *parts), fetched=fetched)
            if parts or fetched:
                yield task

    async def _cutter(self, parts: Sequence[Part]) -> Cutter:
        """One that goes on where these end."""
        if not parts:
            return Cutter()
        last = parts[-1]
        content = await self._blobs.get(last.digest) or b""
        return Cutter(last.first + content.count(b"\n"), last.offset + last.size, len(parts))

    async def _piece(self, task: RegistrationTask, begin: int) -> tuple[bytes, RegistrationTask]:
        params = {"Bucket": task.bucket, "Key": task.key, "Range": f"bytes={begin}-{begin + PART - 1}"}
        if task.etag is not None:
            params["IfMatch"] = task.etag
        try:
            answer = await self._call(params)
        except OutboundError as error:
            if error.code in ("InvalidRange", "416") and begin == 0:
                return b"", task  # there is no byte in an empty object
            raise Unfetched(f"s3://{task.bucket}/{task.key} cannot be read: {error}") from error
        body: bytes = answer["Body"]
        total = str(answer.get("ContentRange", "")).rpartition("/")[2]
        if total.isascii() and total.isdecimal():
            return body, msgspec.structs.replace(task, size=int(total), etag=answer.get("ETag"))
        if begin:
            raise Unfetched(
                f"s3://{task.bucket}/{task.key}: the endpoint does not answer with the range it is asked for"
            )
        return body, msgspec.structs.replace(task, size=len(body))  # all of it

    async def _call(self, params: dict[str, Any]) -> dict[str, Any]:
        for delay in RETRY_DELAYS:
            try:
                return await self._aws.call("s3", "GetObject", params)
            except OutboundError as error:
                if not error.transient:
                    raise
            await self._clock.sleep(delay)
        return await self._aws.call("s3", "GetObject", params)
