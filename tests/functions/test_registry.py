import asyncio
from pathlib import Path

import msgspec
import pytest
from tests.functions.specimens import ARCHIVE, configuration, zip_of

from fogbank.arns import Arns
from fogbank.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from fogbank.functions import resource_policy
from fogbank.functions.code import CodeCache
from fogbank.functions.errors import PolicyLengthExceeded, PreconditionFailed
from fogbank.functions.function import Function
from fogbank.functions.registry import Registry
from fogbank.functions.resource_policy import Statement
from fogbank.storage.memory import MemoryBlobs, MemoryDocuments
from fogbank.testing import FakeClock

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
STATEMENT = Statement(sid="s", action="lambda:InvokeFunction", principal="iot.amazonaws.com")


@pytest.fixture
def documents() -> MemoryDocuments:
    return MemoryDocuments()


@pytest.fixture
async def code(tmp_path: Path) -> CodeCache:
    code = CodeCache(MemoryBlobs(), tmp_path / "code")
    await code.start()
    return code


@pytest.fixture
def registry(documents: MemoryDocuments, code: CodeCache, arns: Arns, clock: FakeClock) -> Registry:
    return Registry(documents, code, arns, clock)


async def create(registry: Registry, name: str = "f") -> Function:
    return await registry.create(name, ARCHIVE, configuration())


async def test_creates_once(registry: Registry, clock: FakeClock) -> None:
    created = await create(registry)
    assert (created.name, created.code_size, created.last_modified) == ("f", len(ARCHIVE), clock.time())
    with pytest.raises(ResourceConflict, match=r"^Function already exist: f$"):
        await create(registry, ARN)
    results = await asyncio.gather(create(registry, "g"), create(registry, "g"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Function", "ResourceConflict"]


async def test_finds_by_every_form_of_the_name(registry: Registry) -> None:
    created = await create(registry)
    for form in ("f", "f:$LATEST", ARN, ARN + ":$LATEST", "123456789012:function:f"):
        assert registry.get(form) is created
    assert registry.get("f", "$LATEST") is created
    with pytest.raises(ResourceNotFound, match=f"^Function not found: {ARN}:v1$"):
        registry.get("f", "v1")
    with pytest.raises(ResourceNotFound, match=f"^Function not found: {ARN}g$"):
        registry.get("fg")


async def test_all_is_there_after_a_restart(
    registry: Registry, documents: MemoryDocuments, code: CodeCache, arns: Arns, clock: FakeClock
) -> None:
    await create(registry)
    await registry.add_permission("f", STATEMENT)
    updated = await registry.update_configuration("f", environment={"AB": "c"}, timeout=7)
    again = Registry(documents, code, arns, clock)
    await again.start()
    assert again.get("f") == updated
    assert again.get("f").policy == (STATEMENT,)
    await again.update_configuration("f", timeout=8)


async def test_updates_change_revision_and_deployment(registry: Registry, clock: FakeClock) -> None:
    created = await create(registry)
    await clock.advance(5)
    updated = await registry.update_code("f", zip_of({"a.py": "1"}))
    assert updated.code_digest != created.code_digest
    assert updated.last_modified == created.last_modified + 5
    configured = await registry.update_configuration("f", memory_size=256)
    assert configured.configuration == configuration(memory_size=256)
    permitted = await permit(registry)
    revisions = {created.revision_id, updated.revision_id, configured.revision_id, permitted.revision_id}
    assert len(revisions) == 4
    assert permitted.deployment == configured.deployment  # environments stay warm
    assert len({created.deployment, updated.deployment, configured.deployment}) == 3
    assert registry.current(permitted)
    assert not registry.current(updated)


async def permit(registry: Registry) -> Function:
    await registry.add_permission("f", STATEMENT)
    return registry.get("f")


async def test_an_old_revision_id_is_refused(registry: Registry) -> None:
    created = await create(registry)
    await registry.update_configuration("f", revision_id=created.revision_id, timeout=4)
    for attempt in (
        registry.update_configuration("f", revision_id=created.revision_id, timeout=5),
        registry.update_code("f", ARCHIVE, revision_id=created.revision_id),
        registry.add_permission("f", STATEMENT, revision_id=created.revision_id),
        registry.remove_permission("f", "s", revision_id=created.revision_id),
    ):
        with pytest.raises(PreconditionFailed, match="does not match the latest RevisionId"):
            await attempt
    assert registry.get("f").configuration.timeout == 4


async def test_of_two_writers_at_once_one_is_told_so(registry: Registry) -> None:
    await create(registry)
    results = await asyncio.gather(
        registry.update_code("f", zip_of({"a.py": "1"})),
        registry.update_code("f", zip_of({"a.py": "2"})),
        return_exceptions=True,
    )
    [won] = [result for result in results if isinstance(result, Function)]
    [lost] = [result for result in results if isinstance(result, ResourceConflict)]
    assert f"An update is in progress for resource: {ARN}" in lost.message
    assert registry.get("f") is won


async def test_a_dry_run_changes_nothing(registry: Registry) -> None:
    created = await create(registry)
    shown = await registry.update_code("f", zip_of({"a.py": "1"}), dry_run=True)
    assert shown.code_digest != created.code_digest
    assert registry.get("f") is created
    with pytest.raises(InvalidParameterValue, match="Could not unzip"):
        await registry.update_code("f", b"", dry_run=True)


async def test_refused_changes_leave_what_was(registry: Registry) -> None:
    created = await create(registry)
    with pytest.raises(InvalidParameterValue):
        await registry.update_configuration("f", timeout=901)
    with pytest.raises(InvalidParameterValue):
        await registry.update_code("f", b"no zip")
    with pytest.raises(InvalidParameterValue):
        await registry.create("g:v1", ARCHIVE, configuration())
    assert registry.get("f") is created
    assert not registry.exists("g")


async def test_deletes(registry: Registry, documents: MemoryDocuments) -> None:
    created = await create(registry)
    with pytest.raises(InvalidParameterValue, match="cannot be deleted without deleting the function"):
        await registry.delete("f", "$LATEST")
    assert await registry.delete("f") is created
    assert not registry.current(created)
    with pytest.raises(ResourceNotFound):
        await registry.delete("f")
    assert await documents.scan("function") == []


async def test_lists_in_pages(registry: Registry) -> None:
    names = [f"f{number:02d}" for number in range(60)]
    for name in reversed(names):
        await create(registry, name)
    seen: list[str] = []
    marker: str | None = None
    sizes = []
    while True:
        page, marker = registry.list(marker, limit=1000 if seen else 7)
        seen += [one.name for one in page]
        sizes.append(len(page))
        if marker is None:
            break
    assert seen == names
    assert sizes == [7, 50, 3]
    with pytest.raises(InvalidParameterValue, match="marker"):
        registry.list("ä?")


async def test_permissions(registry: Registry) -> None:
    await create(registry)
    with pytest.raises(ResourceNotFound, match=r"^The resource you requested does not exist\.$"):
        registry.policy("f")
    text = await registry.add_permission("f", STATEMENT)
    assert msgspec.json.decode(text)["Resource"] == ARN
    with pytest.raises(ResourceConflict, match=r"The statement id \(s\) provided already exists"):
        await registry.add_permission("f", STATEMENT)
    policy, revision = registry.policy("f")
    assert msgspec.json.decode(policy)["Statement"] == [msgspec.json.decode(text)]
    assert revision == registry.get("f").revision_id
    await registry.remove_permission("f", "s")
    with pytest.raises(ResourceNotFound):
        await registry.remove_permission("f", "s")
    with pytest.raises(ResourceNotFound):
        registry.policy("f")


async def test_the_policy_is_bounded(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    await create(registry)
    monkeypatch.setattr(resource_policy, "MAX_BYTES", 100)
    with pytest.raises(PolicyLengthExceeded):
        await registry.add_permission("f", STATEMENT)
