from pathlib import Path

from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.ports import EventType
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.storage.paging import Paging
from fogbank.storage.store import open_store
from fogbank.testing.clock import FakeClock

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


async def test_everything_is_there_after_a_restart(
    tmp_path: Path, own_ca: OwnCa, clock: FakeClock, arns: Arns, csr: str
) -> None:
    """With the engine that instances run on."""
    store = open_store(tmp_path)
    registry = Registry(store.documents, arns, clock, own_ca.devices, Published())
    await registry.thing_types.create("light", "shines", ["colour"])
    thing = await registry.things.create("lamp", type_name="light", attributes={"colour": "red"})
    certificate = await registry.certificates.create_from_request(csr, active=True)
    arn = registry.certificates.arn(certificate.id)
    await registry.policies.create("p", POLICY)
    await registry.policies.create_version("p", POLICY, default=True)
    await registry.policy_attachments.attach("p", arn)
    await registry.thing_principals.attach("lamp", arn, exclusive=True)
    await registry.billing_groups.create("north", tags={"k": "v"})
    await registry.billing_members.join("lamp", "north")
    await registry.event_configurations.update({"THING": True})
    await registry.close()
    await store.close()

    store = open_store(tmp_path)
    registry = Registry(store.documents, arns, clock, own_ca.devices, Published())
    assert await registry.things.describe("lamp") == thing
    assert (await registry.thing_types.describe("light")).searchable == ("colour",)
    assert await registry.certificates.describe(certificate.id) == certificate
    assert sorted((await registry.policies.describe("p")).versions) == [1, 2]
    assert (await registry.policy_attachments.targets("p", Paging())).items == [arn]
    assert [one.exclusive for one in (await registry.thing_principals.of_thing("lamp", Paging())).items] == [True]
    assert await registry.billing_members.group_of("lamp") == "north"
    assert (await registry.billing_members.things_in("north", Paging())).items == ["lamp"]
    assert await registry.tags.list(registry.billing_groups.arn("north")) == {"k": "v"}
    assert await registry.events.enabled(EventType.THING)
    await registry.close()
    await store.close()


async def test_an_instance_started_for_another_account_keeps_its_fleet(
    registry: Registry, documents: MemoryDocuments, own_ca: OwnCa, clock: FakeClock, csr: str
) -> None:
    """Names are stored, not ARNs."""
    certificate = await registry.certificates.create_from_request(csr, active=True)
    await registry.policies.create("p", POLICY)
    await registry.policy_attachments.attach("p", registry.certificates.arn(certificate.id))
    moved = Registry(documents, Arns("us-east-1", "999999999999"), clock, own_ca.devices, Published())
    arn = f"arn:aws:iot:us-east-1:999999999999:cert/{certificate.id}"
    assert (await moved.policy_attachments.targets("p", Paging())).items == [arn]
    assert (await moved.policy_attachments.of_target(arn, Paging())).items == ["p"]
