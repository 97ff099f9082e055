"""Users and roles, and the policies they hold."""

import asyncio
from random import Random

import pytest
from tests.identity.conftest import MakeIam, SlowDocuments
from tests.identity.iam.conftest import LOCAL, LOGGING, TRUST_IOT, document, statement, trusting

from fogbank.identity.access_keys import Status
from fogbank.identity.iam.errors import (
    DeleteConflict,
    EntityAlreadyExists,
    InvalidInput,
    LimitExceeded,
    MalformedPolicyDocument,
    NoSuchEntity,
)
from fogbank.identity.iam.iam import Iam
from fogbank.ports import Delete, Expect, Put, StorageError
from fogbank.storage.memory import MemoryDocuments


async def test_names_do_not_differ_by_case_alone_and_are_found_as_they_are(iam: Iam) -> None:
    """IAM API reference, CreateUser: "Names are not distinguished by case"."""
    user = await iam.users.make("Bob", path="/ops/", tags={"a": "b"})
    assert iam.users.arn(user) == f"{LOCAL}:user/ops/Bob"
    assert user.id.startswith("AIDA")
    assert len(user.id) == 21
    with pytest.raises(EntityAlreadyExists, match="User with name BOB already exists"):
        await iam.users.make("BOB")
    with pytest.raises(NoSuchEntity, match="The user with name bob cannot be found"):
        await iam.users.get("bob")
    await iam.roles.make("bob", TRUST_IOT)  # a role is something else


async def test_a_user_leaves_once_it_holds_nothing(iam: Iam) -> None:
    await iam.users.make("bob")
    key = await iam.users.create_key("bob")
    await iam.users.attach("bob", LOGGING)
    await iam.users.put_inline("bob", "p", document())
    for what, undo in (
        ("delete access keys first", iam.users.delete_key("bob", key.id)),
        ("detach all policies first", iam.users.detach("bob", LOGGING)),
        ("delete policies first", iam.users.delete_inline("bob", "p")),
    ):
        with pytest.raises(DeleteConflict, match=what):
            await iam.users.delete("bob")
        await undo
    await iam.users.delete("bob")
    with pytest.raises(NoSuchEntity):
        await iam.users.delete("bob")


async def test_keys_are_two_at_most_and_outlive_a_restart(iam: Iam, make_iam: MakeIam) -> None:
    await iam.users.make("bob")
    first = await iam.users.create_key("bob")
    second = await iam.users.create_key("bob")
    with pytest.raises(LimitExceeded, match="AccessKeysPerUser: 2"):
        await iam.users.create_key("bob")
    await iam.users.update_key("bob", first.id, Status.INACTIVE)
    again = await make_iam()
    kept = {key.id: key.status for key in await again.users.keys("bob")}
    assert kept == {first.id: Status.INACTIVE, second.id: Status.ACTIVE}
    assert second.secret not in repr(second)
    assert again.users._keys.record(second.id) == second
    assert again.users._keys.get(second.id) is None  # who asks for the root's keys gets no other
    await iam.users.make("eve")
    with pytest.raises(NoSuchEntity, match=f"The Access Key with id {second.id} cannot be found"):
        await iam.users.delete_key("eve", second.id)


async def test_attaching_is_done_once_and_needs_a_policy(iam: Iam) -> None:
    policy = await iam.policies.create("p", document(), path="/x/")
    arn = iam.policies.arn(policy.name, policy.path)
    await iam.roles.make("r", TRUST_IOT)
    for _ in range(2):
        await iam.roles.attach("r", arn)
        await iam.roles.attach("r", LOGGING)
    assert await iam.roles.attached("r") == [arn, LOGGING]
    for unknown in (f"{LOCAL}:policy/p", f"{LOCAL}:policy/x/P", "arn:aws:iam::210987654321:policy/x/p", "nonsense" * 3):
        with pytest.raises(NoSuchEntity):
            await iam.roles.attach("r", unknown)
    with pytest.raises(NoSuchEntity, match=r"of AWS's own there are here .*AWSIoTLogging"):
        await iam.roles.attach("r", "arn:aws:iam::aws:policy/NoSuchPolicy")
    await iam.roles.detach("r", arn)
    with pytest.raises(NoSuchEntity):
        await iam.roles.detach("r", arn)
    for number in range(9):
        made = await iam.policies.create(f"q{number}", document())
        await iam.roles.attach("r", iam.policies.arn(made.name, "/"))
    with pytest.raises(LimitExceeded, match="PoliciesPerRole: 10"):
        await iam.roles.attach("r", arn)


async def test_inline_policies_have_room_together(iam: Iam) -> None:
    await iam.users.make("bob")
    half = document(statement(resource=["arn:" + "a" * 500] * 2))
    await iam.users.put_inline("bob", "a", half)
    await iam.users.put_inline("bob", "a", half)  # in place of itself
    with pytest.raises(LimitExceeded, match="Maximum policy size of 2048 bytes exceeded for user bob"):
        await iam.users.put_inline("bob", "b", half)
    with pytest.raises(MalformedPolicyDocument, match="Syntax errors in policy"):
        await iam.users.put_inline("bob", "c", trusting("*"))
    assert await iam.users.inline("bob", "a") == half
    with pytest.raises(NoSuchEntity, match="The user policy with name b cannot be found"):
        await iam.users.inline("bob", "b")


async def test_tags_have_bounds(iam: Iam) -> None:
    await iam.users.make("bob")
    await iam.users.tag("bob", {str(number): "x" for number in range(50)})
    with pytest.raises(LimitExceeded, match="TagsPerUser: 50"):
        await iam.users.tag("bob", {"one": "more"})
    await iam.users.tag("bob", {"one": "more"}, remove=("0", "1"))
    with pytest.raises(InvalidInput, match="aws:x"):
        await iam.users.tag("bob", {"aws:x": ""})
    with pytest.raises(LimitExceeded, match="TagsPerRole"):
        await iam.roles.make("r", TRUST_IOT, tags={str(number): "x" for number in range(51)})


async def test_a_role_s_trust_is_checked_and_its_arn_has_its_path(iam: Iam) -> None:
    with pytest.raises(MalformedPolicyDocument, match="Syntax errors in trust policy"):
        await iam.roles.make("r", document())
    with pytest.raises(LimitExceeded, match="ACLSizePerRole: 2048"):
        await iam.roles.make("r", trusting({"Service": ["iot.amazonaws.com"] * 200}))
    role = await iam.roles.make("r", TRUST_IOT, path="/service-role/", description="d", max_session=7200)
    assert await iam.roles.by_arn(f"{LOCAL}:role/service-role/r") == role
    assert await iam.roles.by_arn(f"{LOCAL}:role/r") is None
    updated = await iam.roles.update("r", description=None, max_session=3600)
    assert (updated.description, updated.max_session) == ("d", 3600)
    with pytest.raises(MalformedPolicyDocument):
        await iam.roles.update_trust("r", "{}")


async def test_a_boundary_is_held_as_attachments_are(iam: Iam) -> None:
    await iam.policies.create("p", document())
    arn = f"{LOCAL}:policy/p"
    await iam.users.make("bob", boundary=arn)
    with pytest.raises(DeleteConflict, match="attached to entities"):
        await iam.policies.delete(arn)
    await iam.users.bound("bob", None)
    with pytest.raises(NoSuchEntity, match="no permissions boundary"):
        await iam.users.bound("bob", None)
    await iam.policies.delete(arn)
    with pytest.raises(NoSuchEntity):
        await iam.users.bound("bob", arn)


@pytest.mark.parametrize("seed", range(40))
async def test_of_those_who_attach_and_those_who_delete_one_wins(seed: int, make_iam: MakeIam) -> None:
    """Whatever comes first: nobody holds a policy that there is not."""
    iam = await make_iam(SlowDocuments(Random(seed)))
    await iam.users.make("bob")
    await iam.policies.create("p", document())
    arn = f"{LOCAL}:policy/p"
    await asyncio.gather(iam.users.attach("bob", arn), iam.policies.delete(arn), return_exceptions=True)
    held = (await iam.users.get("bob")).attached
    assert bool(held) is bool(await iam.policies.all())


@pytest.mark.parametrize("seed", range(20))
async def test_a_user_never_has_more_than_two_keys(seed: int, make_iam: MakeIam) -> None:
    iam = await make_iam(SlowDocuments(Random(seed)))
    await iam.users.make("bob")
    await asyncio.gather(*(iam.users.create_key("bob") for _ in range(4)), return_exceptions=True)
    assert len(await iam.users.keys("bob")) == 2


@pytest.mark.parametrize("seed", range(40))
async def test_of_those_who_make_a_key_and_those_who_delete_its_user_one_wins(seed: int, make_iam: MakeIam) -> None:
    iam = await make_iam(SlowDocuments(Random(seed)))
    await iam.users.make("bob")
    await asyncio.gather(iam.users.create_key("bob"), iam.users.delete("bob"), return_exceptions=True)
    assert (await iam.users.find("bob") is None) is not bool(await iam.users._keys.of_user("bob"))


async def test_no_change_is_lost_however_many_come_at_once(make_iam: MakeIam) -> None:
    iam = await make_iam(SlowDocuments(Random(1)))
    await iam.users.make("bob")
    changes = [iam.users.tag("bob", {str(number): ""}) for number in range(20)]
    changes += [iam.users.put_inline("bob", str(number), document()) for number in range(8)]
    await asyncio.gather(*changes)
    bob = await iam.users.get("bob")
    assert (len(bob.tags), len(bob.inline)) == (20, 8)


@pytest.mark.parametrize("turns", range(12))
async def test_a_caller_who_goes_away_leaves_no_key_alive_that_is_gone_on_disk(turns: int, make_iam: MakeIam) -> None:
    documents = SlowDocuments(Random(2))
    iam = await make_iam(documents)
    await iam.users.make("bob")
    key = await iam.users.create_key("bob")
    going = asyncio.create_task(iam.users.delete_key("bob", key.id))
    for _ in range(turns):
        await asyncio.sleep(0)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    await iam.close()
    assert (iam.users._keys.record(key.id) is None) is (await iam.users._keys.of_user("bob") == [])


async def test_a_key_is_not_trusted_where_nobody_knows_whether_it_is_still_there(make_iam: MakeIam) -> None:
    class Failing(MemoryDocuments):
        broken = False

        async def commit(self, *changes: Put | Delete | Expect) -> list[int]:
            versions = await super().commit(*changes)
            if self.broken:
                raise StorageError("the disk is full, or not")
            return versions

    documents = Failing()
    iam = await make_iam(documents)
    await iam.users.make("bob")
    key = await iam.users.create_key("bob")
    documents.broken = True
    with pytest.raises(StorageError):
        await iam.users.update_key("bob", key.id, Status.INACTIVE)
    assert iam.users._keys.record(key.id) is None
    documents.broken = False
    await iam.users.update_key("bob", key.id, Status.ACTIVE)
    assert iam.users._keys.record(key.id) is not None
