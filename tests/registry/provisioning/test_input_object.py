"""Objects are fetched in pieces, from a bucket in memory that answers as S3's API reference has GetObject."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fogbank.errors import InvalidRequest
from fogbank.ports import OutboundError
from fogbank.registry.provisioning import input_file, input_object
from fogbank.registry.provisioning.input_object import InputObject, Unfetched
from fogbank.registry.provisioning.tasks import RegistrationTask
from fogbank.storage.memory import MemoryBlobs
from fogbank.testing.clock import FakeClock

TASK = RegistrationTask(id="t", template="", bucket="bucket", key="key", role_arn=None, created=0, modified=0)


class Bucket:
    """Port AwsServices: one object."""

    def __init__(self, content: bytes, *, ranges: bool = True) -> None:
        self.content = content
        self.ranges = ranges
        self.etag = '"1"'
        self.failures: list[OutboundError] = []
        self.asked: list[Mapping[str, Any]] = []

    def obstacle(self, service: str) -> str | None:
        return None

    def url(self, service: str) -> str | None:
        return None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert (service, operation, params["Bucket"], params["Key"]) == ("s3", "GetObject", "bucket", "key")
        self.asked.append(params)
        if self.failures:
            raise self.failures.pop(0)
        if params.get("IfMatch", self.etag) != self.etag:
            raise OutboundError("PreconditionFailed", code="PreconditionFailed", status=412)
        if not self.ranges:
            return {"Body": self.content, "ETag": self.etag}
        first, last = map(int, params["Range"].removeprefix("bytes=").split("-"))
        if first >= len(self.content):
            raise OutboundError("InvalidRange", code="InvalidRange", status=416)
        body = self.content[first : last + 1]
        total = f"bytes {first}-{first + len(body) - 1}/{len(self.content)}"
        return {"Body": body, "ContentRange": total, "ETag": self.etag}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PART": 100, "LONGEST_LINE": 30}.items():
        monkeypatch.setattr(input_file, name, value)
    monkeypatch.setattr(input_object, "PART", 100)


CONTENT = b"".join(b"line %03d\n" % i for i in range(100))


async def fetch(source: InputObject, task: RegistrationTask = TASK, most: int = 1000) -> RegistrationTask:
    async for found in source.fetch(task):
        task = found
        most -= 1
        if most == 0:
            break
    return task


async def content_of(task: RegistrationTask, blobs: MemoryBlobs) -> bytes:
    return b"".join([await blobs.get(part.digest) or b"" for part in task.parts])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("content", [b"", b"x", CONTENT, CONTENT + b"end", CONTENT[:100], CONTENT[:200], b"\n" * 500])
@pytest.mark.parametrize("ranges", [True, False])
async def test_all_of_it_comes(content: bytes, ranges: bool) -> None:
    blobs = MemoryBlobs()
    task = await fetch(InputObject(Bucket(content, ranges=ranges), blobs, FakeClock()))
    assert task.fetched
    assert task.size == len(content)
    assert await content_of(task, blobs) == content
    offsets = [sum(one.size for one in task.parts[:i]) for i in range(len(task.parts))]
    assert [part.offset for part in task.parts] == offsets


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("stop", range(1, 10))
async def test_it_goes_on_after_a_kill(stop: int) -> None:
    blobs = MemoryBlobs()
    bucket = Bucket(CONTENT)
    source = InputObject(bucket, blobs, FakeClock())
    task = await fetch(source, most=stop)
    asked = len(bucket.asked)
    task = await fetch(source, task)
    assert await content_of(task, blobs) == CONTENT
    assert task.fetched
    assert all("IfMatch" in params for params in bucket.asked[asked:])
    whole = await fetch(InputObject(Bucket(CONTENT), MemoryBlobs(), FakeClock()))
    assert [(part.first, part.offset) for part in task.parts] == [(part.first, part.offset) for part in whole.parts]


@pytest.mark.usefixtures("small")
async def test_an_object_that_is_written_anew_is_not_mixed() -> None:
    bucket = Bucket(CONTENT)
    source = InputObject(bucket, MemoryBlobs(), FakeClock())
    task = await fetch(source, most=2)
    bucket.etag = '"2"'
    with pytest.raises(Unfetched, match=r"s3://bucket/key cannot be read: PreconditionFailed"):
        await fetch(source, task)
    bucket.etag, bucket.ranges = '"1"', False
    with pytest.raises(Unfetched, match="does not answer with the range"):
        await fetch(source, task)


async def test_what_passes_is_tried_again() -> None:
    clock = FakeClock()
    bucket = Bucket(b"a\n")
    busy = OutboundError("SlowDown", code="SlowDown", status=503, transient=True)
    bucket.failures = [busy] * 2
    source = InputObject(bucket, MemoryBlobs(), clock)
    fetching = asyncio.create_task(fetch(source))
    await clock.advance(10)
    assert (await fetching).fetched
    bucket.failures = [busy] * 10
    fetching = asyncio.create_task(fetch(source))
    await clock.advance(100)
    with pytest.raises(Unfetched, match="SlowDown"):
        await fetching
    bucket.failures = [OutboundError("NoSuchKey", code="NoSuchKey", status=404)]
    with pytest.raises(Unfetched, match="NoSuchKey"):
        await fetch(source)


@pytest.mark.usefixtures("small")
async def test_a_line_that_is_too_long_fails() -> None:
    with pytest.raises(InvalidRequest, match="Line 101 of the input file is longer"):
        await fetch(InputObject(Bucket(CONTENT + b"x" * 31), MemoryBlobs(), FakeClock()))
