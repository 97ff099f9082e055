"""The moments between the steps of a removal, one by one."""

from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import DeleteConflict
from fogbank.ports import Delete, Expect, Put, StorageError
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging

Enrol = Callable[[], Awaitable[Certificate]]
POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
Commit = Callable[..., Awaitable[list[int]]]


class Between:
    """Does something right before the first commit that `when` is true of."""

    def __init__(self, documents: MemoryDocuments, patch: pytest.MonkeyPatch) -> None:
        self._commit: Commit = documents.commit
        self.when: Callable[[tuple[Put | Delete | Expect, ...]], bool] = lambda changes: False
        self.do: Callable[[], Awaitable[object]] | None = None
        patch.setattr(documents, "commit", self._committing)

    @property
    def is_done(self) -> bool:
        return self.do is None

    async def _committing(self, *changes: Put | Delete | Expect) -> list[int]:
        if self.do is not None and self.when(changes):
            do, self.do = self.do, None
            await do()
        return await self._commit(*changes)


@pytest.fixture
def between(documents: MemoryDocuments, monkeypatch: pytest.MonkeyPatch) -> Between:
    return Between(documents, monkeypatch)


def deletes(kind: str) -> Callable[[tuple[Put | Delete | Expect, ...]], bool]:
    return lambda changes: any(isinstance(one, Delete) and one.kind == kind for one in changes)


def marks(kind: str) -> Callable[[tuple[Put | Delete | Expect, ...]], bool]:
    def marking(one: Put | Delete | Expect) -> bool:
        return isinstance(one, Put) and one.kind == kind and b'"leaving":true' in one.body

    return lambda changes: any(map(marking, changes))


@pytest.mark.parametrize("moment", [marks, deletes])
async def test_a_policy_attached_at_the_last_moment_is_not_deleted(
    registry: Registry, enrol: Enrol, between: Between, moment: Callable[[str], Callable[[object], bool]]
) -> None:
    arn = registry.certificates.arn((await enrol()).id)
    await registry.policies.create("p", POLICY)
    between.when, between.do = moment("policy"), lambda: registry.policy_attachments.attach("p", arn)
    with pytest.raises(DeleteConflict):
        await registry.policies.delete("p")
    assert between.is_done
    assert (await registry.policy_attachments.targets("p", Paging())).items == [arn]


@pytest.mark.parametrize("moment", [marks, deletes])
async def test_a_thing_that_joins_at_the_last_moment_leaves_with_the_others(
    registry: Registry, documents: MemoryDocuments, between: Between, moment: Callable[[str], Callable[[object], bool]]
) -> None:
    await registry.things.create("lamp")
    await registry.thing_groups.create("house")
    between.when, between.do = moment("thing-group"), lambda: registry.group_members.update("lamp", join=["house"])
    await registry.thing_groups.delete("house")
    assert between.is_done
    assert await documents.scan("thing-group-member") == []


async def test_a_mark_left_behind_is_taken_off_by_the_next_and_costs_nobody_else(
    registry: Registry, enrol: Enrol, documents: MemoryDocuments, between: Between
) -> None:
    """As after a kill between the two steps."""
    await registry.policies.create("p", POLICY)

    async def killed() -> None:
        raise StorageError("killed")

    between.when, between.do = deletes("policy"), killed
    with pytest.raises(StorageError, match="killed"):
        await registry.policies.delete("p")
    assert (await registry.policies.describe("p")).document == POLICY

    async def version() -> int:
        record = await documents.get("policy", "p")
        assert record is not None
        return record.version

    before = await version()
    for _ in range(3):
        await registry.policy_attachments.attach("p", registry.certificates.arn((await enrol()).id))
    assert await version() == before + 1
    assert not (await registry.policies.describe("p")).leaving
