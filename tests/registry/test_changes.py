import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceNotFound, ServiceUnavailable
from fogbank.ports import StaleVersion
from fogbank.registry import changes
from fogbank.registry.paging import Paging
from fogbank.registry.records import CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


async def _outcomes(*calls: Coroutine[Any, Any, Any]) -> list[type[BaseException] | None]:
    """What concurrent calls came to: the class of their error, or None."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    return [type(one) if isinstance(one, BaseException) else None for one in results]


async def _enrol(registry: Registry, csr: str, *, active: bool = True) -> str:
    made = await registry.certificates.create_from_request(csr, active=active)
    return registry.certificates.arn(made.id)


async def test_no_update_is_lost(slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light")
    updates = [
        registry.things.update("lamp", attributes=AttributeUpdate({f"a{n}": "1"}, merge=True)) for n in range(20)
    ]
    await asyncio.gather(*updates)
    thing = await registry.things.describe("lamp")
    assert (len(thing.attributes), thing.version) == (20, 21)


async def test_of_many_who_expect_a_version_one_succeeds(slow_registry: Registry) -> None:
    await slow_registry.things.create("lamp")
    outcomes = await _outcomes(*(slow_registry.things.update("lamp", expected_version=1) for _ in range(8)))
    assert outcomes.count(None) == 1


async def test_many_make_the_same_thing_once(slow_registry: Registry) -> None:
    made = await asyncio.gather(*(slow_registry.things.create("lamp") for _ in range(8)))
    assert len({thing.id for thing in made}) == 1


async def test_ten_policies_stay_ten(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    for number in range(14):
        await registry.policies.create(f"p{number}", POLICY)
    outcomes = await _outcomes(*(registry.policy_attachments.attach(f"p{number}", arn) for number in range(14)))
    assert sorted(outcomes, key=str) == [LimitExceeded] * 4 + [None] * 10
    assert len((await registry.policy_attachments.of_target(arn, Paging())).items) == 10


async def test_five_versions_stay_five(slow_registry: Registry) -> None:
    await slow_registry.policies.create("p", POLICY)
    outcomes = await _outcomes(*(slow_registry.policies.create_version("p", POLICY, default=True) for _ in range(7)))
    assert outcomes.count(None) == 4
    assert sorted((await slow_registry.policies.describe("p")).versions) == [1, 2, 3, 4, 5]


async def test_a_policy_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    await registry.policies.create("p", POLICY)
    outcomes = await _outcomes(registry.policy_attachments.attach("p", arn), registry.policies.delete("p"))
    held = (await registry.policy_attachments.of_target(arn, Paging())).items
    assert (outcomes, held) in (([None, DeleteConflict], ["p"]), ([ResourceNotFound, None], []))


async def test_a_thing_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    await registry.things.create("lamp")
    outcomes = await _outcomes(registry.thing_principals.attach("lamp", arn), registry.things.delete("lamp"))
    held = (await registry.thing_principals.of_principal(arn, Paging())).items
    assert (outcomes, len(held)) in (([None, InvalidRequest], 1), ([ResourceNotFound, None], 0))


async def test_a_certificate_is_attached_or_deleted_never_both(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr, active=False)
    await registry.things.create("lamp")
    await registry.policies.create("p", POLICY)
    outcomes = await _outcomes(
        registry.thing_principals.attach("lamp", arn),
        registry.policy_attachments.attach("p", arn),
        registry.certificates.delete(arn.rpartition("/")[2], force=True),
    )
    things = (await registry.thing_principals.of_thing("lamp", Paging())).items
    policies = (await registry.policy_attachments.targets("p", Paging())).items
    if outcomes[2] is None:
        assert (things, policies) == ([], [])
        await registry.policies.delete("p")
    else:
        assert outcomes == [None, None, DeleteConflict]
        assert (len(things), policies) == (1, [arn])


async def test_exclusive_means_exclusive_when_two_come_at_once(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    outcomes = await _outcomes(
        registry.thing_principals.attach("lamp", arn, exclusive=True),
        registry.thing_principals.attach("fan", arn),
    )
    assert sorted(outcomes, key=str) == [InvalidRequest, None]


async def test_fifty_at_one_policy_all_succeed(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    await registry.policies.create("p", POLICY)
    arns = [await _enrol(registry, csr) for _ in range(50)]
    assert set(await _outcomes(*(registry.policy_attachments.attach("p", arn) for arn in arns))) == {None}
    assert len((await registry.policy_attachments.targets("p", Paging(size=250))).items) == 50


Step = Callable[[Registry, str], Coroutine[Any, Any, Any]]


@pytest.mark.parametrize(
    "step",
    [
        lambda it, arn: it.things.create("new", type_name="light"),
        lambda it, arn: it.things.update("lamp", type_name="light"),
        lambda it, arn: it.things.delete("fan"),
        lambda it, arn: it.thing_types.create("new"),
        lambda it, arn: it.thing_types.deprecate("light"),
        lambda it, arn: it.certificates.update(arn.rpartition("/")[2], CertificateStatus.INACTIVE),
        lambda it, arn: it.policies.create("new", POLICY),
        lambda it, arn: it.policies.create_version("p", POLICY, default=True),
        lambda it, arn: it.policies.delete("q"),
        lambda it, arn: it.policy_attachments.attach("q", arn),
        lambda it, arn: it.policy_attachments.detach("p", arn),
        lambda it, arn: it.thing_principals.attach("fan", arn),
        lambda it, arn: it.thing_principals.detach("lamp", arn),
    ],
)
async def test_every_call_is_one_batch(slow_documents: Any, slow_registry: Registry, csr: str, step: Step) -> None:
    """So that a kill finds all of it or nothing."""
    registry = slow_registry
    arn = await _enrol(registry, csr)
    await registry.thing_types.create("light")
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    for name in ("p", "q"):
        await registry.policies.create(name, POLICY)
    await registry.policy_attachments.attach("p", arn)
    await registry.thing_principals.attach("lamp", arn)
    before = slow_documents.commits
    await step(registry, arn)
    assert slow_documents.commits == before + 1


async def test_what_became_durable_is_told_even_where_the_caller_went_away(slow_registry: Registry, csr: str) -> None:
    registry = slow_registry
    arn = await _enrol(registry, csr)
    id_ = arn.rpartition("/")[2]
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listener)
    for turns in range(24):
        known = await registry.principals._certificates.get(id_)
        assert known is not None
        active = known.status is CertificateStatus.ACTIVE
        status = CertificateStatus.INACTIVE if active else CertificateStatus.ACTIVE
        heard.clear()
        revoking = asyncio.create_task(registry.certificates.update(id_, status))
        for _ in range(turns // 2):
            await asyncio.sleep(0)
        revoking.cancel()
        await asyncio.gather(revoking, return_exceptions=True)
        await registry.close()
        stored = (await registry.certificates.describe(id_)).status
        assert heard == ([frozenset((id_,))] if stored is status else [])
        known = await registry.principals._certificates.get(id_)
        assert known is not None
        assert known.status is stored


async def test_a_watcher_that_fails_does_not_stop_the_others(
    registry: Registry, csr: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[frozenset[str]] = []

    async def broken(identities: frozenset[str]) -> None:
        raise RuntimeError("no")

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(broken)
    registry.principals.watch(listener)
    with caplog.at_level(logging.ERROR):
        await _enrol(registry, csr)
    assert len(heard) == 1
    assert "a watcher of principals failed" in caplog.text


async def test_a_meeting_that_never_ends_is_told() -> None:
    attempts = 0

    async def attempt() -> None:
        nonlocal attempts
        attempts += 1
        raise StaleVersion("thing", "lamp", 1, 2)

    with pytest.raises(ServiceUnavailable, match="thing lamp"):
        await changes.settle(attempt)
    assert attempts == changes.ATTEMPTS
