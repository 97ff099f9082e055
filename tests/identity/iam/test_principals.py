"""Changes reach those who are there."""

import gc

import msgspec
from tests.identity.iam.conftest import LOCAL, TRUST_ACCOUNT, document, statement
from tests.identity.iam.test_sts import WISH, may, signer_of, user

from fogbank.identity.access_keys import Status
from fogbank.identity.iam.iam import Iam


async def test_whoever_is_touched_is_told_of_before_the_call_returns(iam: Iam) -> None:
    told: list[frozenset[str]] = []

    async def listener(ids: frozenset[str]) -> None:
        told.append(ids)

    async def broken(ids: frozenset[str]) -> None:
        raise RuntimeError("nobody else suffers from it")

    iam.watch(broken)
    iam.watch(listener)
    bob = await user(iam)
    await iam.roles.make("r", TRUST_ACCOUNT)
    await iam.roles.make("other", TRUST_ACCOUNT)
    one = await signer_of(iam, await iam.sts.assume_role(None, None, WISH))
    two = await signer_of(iam, await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, name="second")))
    assert told == []
    await iam.policies.create("p", document())
    assert told == []
    sessions = frozenset((one.identity.id, two.identity.id))
    await iam.roles.attach("r", f"{LOCAL}:policy/p")
    await iam.policies.create_version(f"{LOCAL}:policy/p", document(statement("Deny")), default=True)
    await iam.roles.detach("r", f"{LOCAL}:policy/p")
    assert told == [sessions] * 3
    await iam.users.put_inline("bob", "p", document())
    await iam.users.update_key("bob", bob.key.id, Status.INACTIVE)
    assert told[3:] == [frozenset((bob.identity.id,))] * 2
    await iam.roles.put_inline("other", "p", document())
    assert len(told) == 5


async def test_whoever_is_gone_is_forgotten(iam: Iam) -> None:
    bob = await user(iam)
    assert len(iam._household._live) == 1
    assert bob.principals
    del bob
    gc.collect()
    assert len(iam._household._live) == 0


async def test_a_boundary_bounds_and_one_that_is_gone_allows_nothing(iam: Iam) -> None:
    await iam.policies.create("b", document(statement(action="iot:Connect")))
    bob = await user(iam, document())
    assert await may(bob)
    await iam.users.bound("bob", f"{LOCAL}:policy/b")
    assert not await may(bob)
    assert await may(bob, "iot:Connect")
    record = await iam.users.get("bob")
    documents = await iam.users.documents(msgspec.structs.replace(record, boundary="nowhere"))
    assert [one.name for one in documents] == ["p0", "missing boundary"]
    assert '"Deny"' in documents[1].document
