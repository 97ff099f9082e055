"""Role aliases as resources."""

import asyncio
from random import Random
from typing import Any

import pytest
from tests.identity.conftest import ARNS, SlowDocuments

from fogbank.errors import InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.identity.records import Records
from fogbank.identity.role_aliases import DURATION, RoleAliases
from fogbank.registry.tags import Tags
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

ROLE = f"arn:aws:iam::{ARNS.account}:role/camera"


@pytest.fixture
def aliases(documents: MemoryDocuments, clock: FakeClock) -> RoleAliases:
    return RoleAliases(Records(documents, Tags(documents, ARNS)), ARNS, clock)


async def test_one_is_made_described_changed_and_deleted(aliases: RoleAliases, clock: FakeClock) -> None:
    made = await aliases.create("cam", ROLE)
    assert await aliases.get("cam") == made
    assert (made.duration, made.created, made.modified) == (DURATION, clock.time(), clock.time())
    assert aliases.arn("cam") == f"arn:aws:iot:eu-west-1:{ARNS.account}:rolealias/cam"
    await clock.advance(10)
    changed = await aliases.update("cam", duration=900)
    assert (changed.role_arn, changed.duration, changed.modified) == (ROLE, 900, made.created + 10)
    assert (await aliases.update("cam", role_arn=ROLE + "2")).duration == 900
    await aliases.create("a", ROLE)
    assert [one.name for one in await aliases.all()] == ["a", "cam"]
    await aliases.delete("cam")
    assert [one.name for one in await aliases.all()] == ["a"]


async def test_a_name_is_taken_once(aliases: RoleAliases) -> None:
    await aliases.create("cam", ROLE)
    with pytest.raises(ResourceAlreadyExists) as taken:
        await aliases.create("cam", ROLE)
    assert taken.value.members == {"resourceId": "cam", "resourceArn": aliases.arn("cam")}


@pytest.mark.parametrize("call", ["get", "update", "delete"])
async def test_what_is_not_there(aliases: RoleAliases, call: str) -> None:
    with pytest.raises(ResourceNotFound, match="Role alias nobody does not exist"):
        await getattr(aliases, call)("nobody")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "a" * 129, "a\n", "a:b"])
async def test_names_that_are_none(aliases: RoleAliases, name: str) -> None:
    with pytest.raises(InvalidRequest, match="is not 1 to 128 letters"):
        await aliases.create(name, ROLE)


@pytest.mark.parametrize(
    "role",
    ["role", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::1:role/x", ROLE + " ", "arn:aws:iam::" + "1" * 12],
)
async def test_roles_that_are_none(aliases: RoleAliases, role: str) -> None:
    with pytest.raises(InvalidRequest, match="is not the ARN of a role"):
        await aliases.create("cam", role)
    await aliases.create("cam", ROLE)
    with pytest.raises(InvalidRequest, match="is not the ARN of a role"):
        await aliases.update("cam", role_arn=role)
    assert (await aliases.get("cam")).role_arn == ROLE


async def test_of_two_who_take_a_name_at_once_one_is_told(clock: FakeClock) -> None:
    for seed in range(20):
        documents = SlowDocuments(Random(seed))
        aliases = RoleAliases(Records(documents, Tags(documents, ARNS)), ARNS, clock)
        found: list[Any] = await asyncio.gather(
            *(aliases.create("cam", f"{ROLE}{number}") for number in range(3)), return_exceptions=True
        )
        assert sum(isinstance(one, ResourceAlreadyExists) for one in found) == 2
        await asyncio.gather(aliases.update("cam", duration=900), aliases.update("cam", role_arn=ROLE))
        assert (await aliases.get("cam")).duration == 900
        assert (await aliases.get("cam")).role_arn == ROLE
