"""Bulk registrations in memory: what they make, tell and survive."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.registry.provisioning.test_input_object import Bucket
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound
from fogbank.ports import Delete, Expect, OutboundError, Put, StorageError
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.provisioning import bulk as bulk_module
from fogbank.registry.provisioning import bulk_run, input_file
from fogbank.registry.provisioning.bulk import BulkRegistrations, Progress
from fogbank.registry.provisioning.tasks import TaskRecords, TaskStatus
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock

ROLE = "arn:aws:iam::123456789012:role/registration"
TEMPLATE = json.dumps(
    {
        "Parameters": {"Name": {"Type": "String"}, "CSR": {"Type": "String"}},
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateSigningRequest": {"Ref": "CSR"}},
            },
            "policy": {
                "Type": "AWS::IoT::Policy",
                "Properties": {
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"},
                    }
                },
            },
        },
    }
)
BAD = {2: b"{}", 5: b"no JSON", 7: b'{"Name": "no name"}'}
"""Lines of the file that fail."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of three lines."""
    monkeypatch.setattr(input_file, "LINES", 3)


@pytest.fixture
def lines(csr: str) -> bytes:
    """Eleven lines, of which three are bad."""
    good = {n: json.dumps({"Name": f"thing-{n}", "CSR": csr}).encode() for n in range(1, 12)}
    return b"\n".join({**good, **BAD}.values())


class DyingDocuments(MemoryDocuments):
    """Documents of a machine that dies with a certain commit: before it, or right after."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 1_000_000
        self.late = False

    async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
        await asyncio.sleep(0)
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.late):
            raise StorageError("the machine has died")
        versions = await super().commit(*changes)
        if self.left == 0:
            raise StorageError("the machine has died")
        return versions


class Rights:
    """Port RoleRights: whether roles may read the object."""

    allowed = True

    async def check(self, role_arn: str, action: str, resource: str, *, source: str | None = None) -> None:
        assert (role_arn, action, resource) == (ROLE, "s3:GetObject", "arn:aws:s3:::bucket/key")
        if not self.allowed:
            raise Forbidden("no")


class Stage:
    """Starts registries on the same documents and blobs, one after the other."""

    def __init__(self, arns: Arns, clock: FakeClock, own_ca: OwnCa) -> None:
        self.documents = DyingDocuments()
        self.blobs = MemoryBlobs()
        self.bucket = Bucket(b"")
        self.rights = Rights()
        self._arns, self._clock, self._ca = arns, clock, own_ca
        self.registry, self.bulk = self.start()

    def start(self) -> tuple[Registry, BulkRegistrations]:
        registry = Registry(self.documents, self._arns, self._clock, self._ca.devices, Published())
        self.registry = registry
        self.bulk = BulkRegistrations(
            self.documents, self.blobs, registry.provisioner, self.bucket, self._clock, rights=self.rights
        )
        return self.registry, self.bulk

    async def until(self, met: Callable[[Progress], bool], id_: str) -> Progress:
        for _ in range(20_000):
            progress = await self.bulk.describe(id_)
            if met(progress):
                return progress
            await asyncio.sleep(0)
        raise AssertionError(f"never so: {progress}")

    async def ended(self, id_: str) -> Progress:
        """When it has ended, and is cleared away."""
        return await self.until(lambda progress: not progress.task.open, id_)

    async def reports(self, id_: str, *, errors: bool) -> list[Any]:
        texts = [await self.bulk.report(digest) or b"" for digest in await self.bulk.reports(id_, errors=errors)]
        return [json.loads(line) for text in texts for line in text.splitlines()]

    async def stop(self) -> None:
        await self.bulk.close()
        await self.registry.close()


@pytest.fixture
def stage(arns: Arns, clock: FakeClock, own_ca: OwnCa) -> Stage:
    return Stage(arns, clock, own_ca)


async def check_done(stage: Stage, id_: str) -> None:
    """Every line has been done once, and is reported once."""
    done = await stage.ended(id_)
    assert (done.task.status, done.succeeded, done.failed, done.percentage) == (TaskStatus.COMPLETED, 8, 3, 100)
    things = [one.name for one in (await stage.registry.things.page(Paging())).items]
    assert sorted(things) == sorted(f"thing-{n}" for n in range(1, 12) if n not in BAD)
    certificates = {one.id for one in (await stage.registry.certificates.page(Paging(None, 250))).items}
    assert len(certificates) == 8
    results, errors = await stage.reports(id_, errors=False), await stage.reports(id_, errors=True)
    assert [one["lineNumber"] for one in results] == [n for n in range(1, 12) if n not in BAD]
    assert [one["lineNumber"] for one in errors] == [*BAD]
    for one in results:
        arns = one["response"]["ResourceArns"]
        assert arns["thing"] == stage.registry.things.arn(f"thing-{one['lineNumber']}")
        assert arns["certificate"].rpartition("/")[2] in certificates
        assert one["response"]["CertificatePem"].startswith("-----BEGIN CERTIFICATE-----")
        [attached] = (await stage.registry.thing_principals.of_thing(f"thing-{one['lineNumber']}", Paging())).items
        assert stage.registry.certificates.arn(attached.certificate) == arns["certificate"]
    assert await stage.documents.scan("registration-receipt") == []


async def test_a_file_that_is_handed_over(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    await check_done(stage, id_)
    errors = await stage.reports(id_, errors=True)
    assert [one["offset"] for one in errors] == [lines.index(text) for text in BAD.values()]
    assert [one["errorCode"] for one in errors] == [
        "ResourceRegistrationFailureException",
        "InvalidRequestException",
        "ResourceRegistrationFailureException",
    ]
    assert "Parameter Name has neither a value nor a default" in errors[0]["errorMessage"]
    await stage.stop()


async def test_a_file_in_a_bucket(stage: Stage, lines: bytes) -> None:
    stage.bucket.content = lines
    id_ = await stage.bulk.start(TEMPLATE, bucket="bucket", key="key", role_arn=ROLE)
    await check_done(stage, id_)
    task = (await stage.bulk.describe(id_)).task
    assert (task.bucket, task.key, task.role_arn, task.size) == ("bucket", "key", ROLE, len(lines))
    await stage.stop()


async def test_progress_can_be_watched(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    seen = []
    while not (progress := await stage.bulk.describe(id_)).task.status.ended:
        seen.append((progress.percentage, progress.succeeded + progress.failed))
        await asyncio.sleep(0)
    assert seen == sorted(seen)
    assert seen[0] == (0, 0)
    assert len({percentage for percentage, _ in seen}) > 5
    assert all(percentage < 100 for percentage, _ in seen)
    await stage.stop()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("commits", range(1, 22))
async def test_after_a_kill_it_goes_on_where_it_was(stage: Stage, lines: bytes, commits: int, late: bool) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    stage.documents.left, stage.documents.late = commits, late
    for _ in range(3000):
        await asyncio.sleep(0)
    await stage.stop()
    stage.documents.left = 1_000_000
    stage.start()
    before = await stage.bulk.describe(id_)
    await stage.bulk.resume()
    assert (await stage.bulk.describe(id_)).percentage >= before.percentage
    await check_done(stage, id_)
    await stage.stop()


@pytest.mark.parametrize("commits", range(1, 5))
async def test_after_a_kill_it_fetches_on(
    stage: Stage, lines: bytes, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_file, "PART", 10)
    monkeypatch.setattr(input_file, "LONGEST_LINE", 1000)
    monkeypatch.setattr("fogbank.registry.provisioning.input_object.PART", 100)
    stage.bucket.content = lines
    id_ = await stage.bulk.start(TEMPLATE, bucket="bucket", key="key", role_arn=ROLE)
    stage.documents.left = commits
    for _ in range(1000):
        await asyncio.sleep(0)
    await stage.stop()
    stage.documents.left = 1_000_000
    stage.start()
    await stage.bulk.resume()
    await check_done(stage, id_)
    await stage.stop()


async def test_closing_interrupts_and_the_next_start_goes_on(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    await stage.until(lambda progress: progress.succeeded > 1, id_)
    await stage.stop()
    stage.start()
    assert (await stage.bulk.describe(id_)).task.status is TaskStatus.IN_PROGRESS
    await stage.bulk.resume()
    await check_done(stage, id_)
    await stage.stop()


async def test_a_task_can_be_stopped(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    await stage.until(lambda progress: progress.succeeded > 1, id_)
    await stage.bulk.stop(id_)
    assert (await stage.bulk.describe(id_)).task.status is TaskStatus.CANCELLING
    done = await stage.ended(id_)
    assert done.task.status is TaskStatus.CANCELLED
    assert 0 < done.percentage < 100
    assert len(await stage.reports(id_, errors=False)) == done.succeeded < 8
    assert len((await stage.registry.things.page(Paging())).items) == done.succeeded
    with pytest.raises(InvalidRequest, match="is Cancelled and cannot be stopped"):
        await stage.bulk.stop(id_)
    await stage.stop()


async def test_a_task_that_was_being_stopped_ends_after_a_kill(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    await stage.until(lambda progress: progress.succeeded > 1, id_)
    stage.documents.left, stage.documents.late = 1, True
    with pytest.raises(StorageError):
        await stage.bulk.stop(id_)
    await stage.stop()
    stage.documents.left = 1_000_000
    stage.start()
    await stage.bulk.resume()
    done = await stage.ended(id_)
    if done.task.status is TaskStatus.CANCELLED:  # the commit that died may have been a line's
        assert len((await stage.registry.things.page(Paging())).items) == done.succeeded < 8
    await stage.stop()


async def test_one_task_at_a_time(stage: Stage, lines: bytes) -> None:
    """(bulk-provisioning: "Only one bulk registration operation task can run at a time")"""
    started = await asyncio.gather(*(stage.bulk.start_with(TEMPLATE, lines) for _ in range(3)), return_exceptions=True)
    [id_] = [one for one in started if isinstance(one, str)]
    assert sum(isinstance(one, InvalidRequest) for one in started) == 2
    await stage.until(lambda progress: progress.succeeded > 1, id_)
    with pytest.raises(InvalidRequest, match="one can run at a time"):
        await stage.bulk.start_with(TEMPLATE, lines)
    await check_done(stage, id_)
    again = await stage.bulk.start_with(TEMPLATE, lines)
    done = await stage.ended(again)
    assert (done.succeeded, done.failed) == (8, 3)
    await stage.stop()


async def test_files_that_cannot_be_had_fail_the_task(stage: Stage, lines: bytes) -> None:
    stage.bucket.failures = [OutboundError("The specified key does not exist.", code="NoSuchKey", status=404)]
    id_ = await stage.bulk.start(TEMPLATE, bucket="bucket", key="key", role_arn=ROLE)
    done = await stage.ended(id_)
    assert done.task.status is TaskStatus.FAILED
    assert done.task.message == "s3://bucket/key cannot be read: The specified key does not exist."
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    for part in (await stage.bulk.describe(id_)).task.parts[:1]:
        await stage.blobs.delete(part.digest)
    done = await stage.ended(id_)
    assert done.task.status is TaskStatus.FAILED
    await stage.stop()


@pytest.mark.parametrize("content", [b"", b"\n\n \n"])
async def test_a_file_that_says_nothing_is_soon_done(stage: Stage, content: bytes) -> None:
    stage.bucket.content = content
    starts: list[Callable[[], Awaitable[str]]] = [
        lambda: stage.bulk.start_with(TEMPLATE, content),
        lambda: stage.bulk.start(TEMPLATE, bucket="bucket", key="key", role_arn=ROLE),
    ]
    for start in starts:
        done = await stage.ended(await start())
        assert (done.task.status, done.percentage, done.succeeded) == (TaskStatus.COMPLETED, 100, 0)
    await stage.stop()


async def test_what_is_wrong_at_the_start_is_said_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    good = {"bucket": "bucket", "key": "key", "role_arn": ROLE}
    with pytest.raises(InvalidRequest, match="Invalid registration template"):
        await stage.bulk.start("{}", **good)
    with pytest.raises(InvalidRequest, match="Invalid registration template"):
        await stage.bulk.start_with("{}", b"")
    with pytest.raises(InvalidRequest, match="inputFileBucket"):
        await stage.bulk.start(TEMPLATE, **{**good, "bucket": "b/c"})
    with pytest.raises(InvalidRequest, match="inputFileKey"):
        await stage.bulk.start(TEMPLATE, **{**good, "key": "a\n"})
    with pytest.raises(InvalidRequest, match="Line 1 of the input file is longer"):
        await stage.bulk.start_with(TEMPLATE, b"x" * (256 * 1024 + 1))
    stage.rights.allowed = False
    with pytest.raises(InvalidRequest, match="no"):
        await stage.bulk.start(TEMPLATE, **good)
    monkeypatch.setattr(stage.bucket, "obstacle", lambda service: f"there is no endpoint for {service}")
    with pytest.raises(InvalidRequest, match="cannot be reached: there is no endpoint for s3"):
        await stage.bulk.start(TEMPLATE, **good)
    assert (await stage.bulk.page(Paging())).items == []


async def test_tasks_are_listed_by_status(stage: Stage, lines: bytes) -> None:
    ids = []
    for _ in range(3):
        ids.append(await stage.bulk.start_with(TEMPLATE, b""))
        await stage.ended(ids[-1])
    running = await stage.bulk.start_with(TEMPLATE, lines)
    assert (await stage.bulk.page(Paging(), "Completed")).items == sorted(ids)
    assert (await stage.bulk.page(Paging(), "InProgress")).items == [running]
    first = await stage.bulk.page(Paging(None, 3))
    rest = await stage.bulk.page(Paging(first.next, 3))
    assert sorted([*first.items, *rest.items]) == sorted([*ids, running])
    for call in (stage.bulk.describe, stage.bulk.stop):
        with pytest.raises(ResourceNotFound):
            await call("nothing")
        with pytest.raises(InvalidRequest):
            await call("no/id")
    with pytest.raises(ResourceNotFound):
        await stage.bulk.reports("nothing", errors=True)
    await stage.ended(running)
    await stage.stop()


async def test_the_oldest_are_forgotten_with_what_is_theirs_alone(
    stage: Stage, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_module, "KEPT", 2)
    ids = []
    for content in (b'{"Name": "a"}', b"{}", b"{}", b""):
        ids.append(await stage.bulk.start_with(TEMPLATE, content))
        await stage.ended(ids[-1])
        await clock.advance(1)
    assert set((await stage.bulk.page(Paging())).items) == {*ids[2:]}
    [report] = await stage.reports(ids[2], errors=True)  # the same bytes as those of the one that has gone
    assert report["lineNumber"] == 1
    assert await stage.blobs.get((await stage.bulk.reports(ids[2], errors=True))[0]) is not None
    await stage.stop()


async def test_no_input_is_left(stage: Stage, lines: bytes) -> None:
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    parts = (await stage.bulk.describe(id_)).task.parts
    assert len(parts) == 4
    await stage.ended(id_)
    assert [await stage.blobs.get(part.digest) for part in parts] == [None] * 4
    assert (await stage.bulk.describe(id_)).task.parts == ()
    assert await TaskRecords(stage.documents).tasks.find("open", "yes") == []


async def test_an_internal_failure_is_one_line_s(
    stage: Stage, lines: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = iter(range(100))
    provision = stage.registry.provisioner.provision

    async def failing(*args: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise RuntimeError("a secret of ours")
        return await provision(*args, **options)

    monkeypatch.setattr(stage.registry.provisioner, "provision", failing)
    id_ = await stage.bulk.start_with(TEMPLATE, lines)
    done = await stage.ended(id_)
    assert (done.succeeded, done.failed) == (7, 4)
    codes = [one["errorCode"] for one in await stage.reports(id_, errors=True)]
    assert codes.count("InternalFailureException") == 1
    assert "secret" not in json.dumps(await stage.reports(id_, errors=True))
    assert "a secret of ours" in caplog.text
    await stage.stop()


async def test_lines_are_started_one_per_turn_of_the_loop(
    stage: Stage, lines: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that devices which talk meanwhile wait for one line at most."""
    turns: list[int] = []
    turn = 0

    async def ticking() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    line = bulk_run.BulkRun._line

    async def started(self: Any, *args: Any) -> Any:
        turns.append(turn)
        return await line(self, *args)

    monkeypatch.setattr(bulk_run.BulkRun, "_line", started)
    monkeypatch.setattr(input_file, "LINES", 100)
    ticker = asyncio.create_task(ticking())
    await stage.ended(await stage.bulk.start_with(TEMPLATE, lines))
    ticker.cancel()
    assert len(turns) == 11 == len(set(turns))
    await stage.stop()
