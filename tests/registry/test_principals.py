from collections.abc import Awaitable, Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalStore, Record, ThingContext
from fogbank.registry import principals
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import Certificate, CertificateStatus, PropagatingAttribute
from fogbank.registry.registry import Registry
from fogbank.registry.things import AttributeUpdate
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

Enrol = Callable[[], Awaitable[Certificate]]


def policy(action: str) -> str:
    return f'{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "iot:{action}", "Resource": "*"}}}}'


def der_of(certificate: Certificate) -> bytes:
    return x509.load_pem_x509_certificate(certificate.pem.encode()).public_bytes(Encoding.DER)


class Device:
    """A certificate, its ARN and what the store says of it."""

    def __init__(self, registry: Registry, certificate: Certificate) -> None:
        self.registry = registry
        self.id = certificate.id
        self.arn = registry.certificates.arn(certificate.id)
        self.der = der_of(certificate)

    async def identity(self) -> Identity:
        return await self.registry.principals.identify(self.der)

    async def grant(self, client_id: str | None = "lamp") -> Grant:
        return await self.registry.principals.grant(await self.identity(), client_id)


@pytest.fixture
async def device(registry: Registry, enrol: Enrol) -> Device:
    return Device(registry, await enrol())


def test_it_is_a_principal_store(registry: Registry) -> None:
    store: PrincipalStore = registry.principals
    assert store is registry.principals


async def test_an_active_certificate_is_who_it_says(device: Device) -> None:
    identity = await device.identity()
    assert (identity.id, identity.arn, identity.active, identity.reason) == (device.id, device.arn, True, "")
    assert identity.attributes["iot:Certificate.Subject.CommonName"] == "sensor-7"
    assert identity.attributes["iot:Certificate.Subject.OrganizationalUnit"] == ("attic", "house")
    assert identity.attributes["iot:Certificate.Issuer.Organization"] == "Amazon.com Inc."


@pytest.mark.parametrize("status", [CertificateStatus.INACTIVE, CertificateStatus.REVOKED])
async def test_any_other_status_is_not_active_and_says_so(device: Device, status: CertificateStatus) -> None:
    before = await device.identity()
    await device.registry.certificates.update(device.id, status)
    for identity in (await device.identity(), await device.registry.principals.recheck(before)):
        assert (identity.active, identity.reason) == (False, f"certificate is {status.value}")


async def test_a_certificate_issued_by_us_and_not_registered_is_unknown(registry: Registry, own_ca: OwnCa) -> None:
    foreign = own_ca.devices.keys_and_certificate().certificate.public_bytes(Encoding.DER)
    identity = await registry.principals.identify(foreign)
    assert (identity.active, identity.reason, len(identity.id)) == (False, "unknown certificate", 64)


@pytest.mark.parametrize("der", [b"", b"garbage", bytes(65_537)])
async def test_garbage_is_no_one(registry: Registry, der: bytes) -> None:
    identity = await registry.principals.identify(der)
    assert not identity.active
    assert await registry.principals.grant(identity, "lamp") == Grant((), ThingContext("lamp", attached=False))


async def test_a_deleted_certificate_is_unknown(device: Device) -> None:
    before = await device.identity()
    await device.registry.certificates.update(device.id, CertificateStatus.INACTIVE)
    await device.registry.certificates.delete(device.id)
    assert (await device.registry.principals.recheck(before)).reason == "unknown certificate"


async def test_time_passes_over_certificates(device: Device, clock: FakeClock) -> None:
    await clock.advance((2050 - 2023) * 366 * 24 * 3600)
    assert (await device.identity()).reason == "certificate has expired"
    clock._now = 0
    assert (await device.identity()).reason == "certificate is not valid yet"


async def test_it_holds_the_default_versions_of_its_policies(device: Device) -> None:
    registry = device.registry
    assert (await device.grant()).policies == ()
    for name in ("b", "a"):
        await registry.policies.create(name, policy(name))
        await registry.policy_attachments.attach(name, device.arn)
    assert (await device.grant()).policies == (PolicyDocument("a", policy("a")), PolicyDocument("b", policy("b")))
    await registry.policies.create_version("a", policy("c"), default=False)
    assert (await device.grant()).policies[0] == PolicyDocument("a", policy("a"))
    await registry.policies.set_default("a", "2")
    assert (await device.grant()).policies[0] == PolicyDocument("a", policy("c"))
    await registry.policy_attachments.detach("a", device.arn)
    assert (await device.grant()).policies == (PolicyDocument("b", policy("b")),)


async def test_it_stands_for_the_thing_named_like_the_client_if_attached(device: Device) -> None:
    """Developer guide, thing-policy-variables."""
    registry = device.registry
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light", attributes={"colour": "red"})
    await registry.things.create("fan")
    assert (await device.grant("lamp")).thing == ThingContext("lamp", attached=False)
    await registry.thing_principals.attach("lamp", device.arn)
    lamp = ThingContext("lamp", attached=True, type_name="light", attributes={"colour": "red"})
    assert (await device.grant("lamp")).thing == lamp
    assert (await device.grant("fan")).thing == ThingContext("fan", attached=False)
    assert (await device.grant("no/thing at all")).thing == ThingContext("no/thing at all", attached=False)
    assert (await device.grant(None)).thing is None
    await registry.things.update("lamp", attributes=AttributeUpdate({"colour": "blue"}), remove_type=True)
    assert (await device.grant("lamp")).thing == ThingContext("lamp", attached=True, attributes={"colour": "blue"})
    await registry.thing_principals.detach("lamp", device.arn)
    assert (await device.grant("lamp")).thing == ThingContext("lamp", attached=False)


async def test_attached_exclusively_it_stands_for_that_thing_whatever_its_client_id(device: Device) -> None:
    """Developer guide, exclusive-thing."""
    await device.registry.things.create("lamp")
    await device.registry.thing_principals.attach("lamp", device.arn, exclusive=True)
    for client_id in ("lamp", "another"):
        assert (await device.grant(client_id)).thing == ThingContext("lamp", attached=True, exclusive=True)
    assert (await device.grant(None)).thing is None
    await device.registry.thing_principals.attach("lamp", device.arn, exclusive=False)
    assert (await device.grant("another")).thing == ThingContext("another", attached=False)


async def _grouped(device: Device, *, exclusive: bool = False) -> None:
    """lamp, attached, in bath, below house, and in garden; each has a policy of its name, the certificate has `own`."""
    registry = device.registry
    for name in ("own", "house", "bath", "garden", "spare"):
        await registry.policies.create(name, policy(name))
    await registry.policy_attachments.attach("own", device.arn)
    for name, parent in (("house", None), ("bath", "house"), ("garden", None), ("street", None)):
        await registry.thing_groups.create(name, parent=parent)
    for name in ("house", "bath", "garden"):
        await registry.policy_attachments.attach(name, registry.thing_groups.arn(name))
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    await registry.thing_principals.attach("lamp", device.arn, exclusive=exclusive)
    await registry.group_members.update("lamp", join=["bath", "garden"])


async def held(device: Device, client_id: str | None) -> list[str]:
    return [one.name for one in (await device.grant(client_id)).policies]


async def test_it_holds_the_policies_of_its_things_groups_and_those_above(device: Device) -> None:
    """Developer guide, thing-groups, Attach a policy to a thing group: inherited by things in it and below it."""
    await _grouped(device)
    assert await held(device, "lamp") == ["own", "house", "bath", "garden"]
    for client_id in ("fan", "x", None):
        assert await held(device, client_id) == ["own"], "only where the client ID is the name of the thing"


async def test_attached_exclusively_it_holds_them_whatever_its_client_id(device: Device) -> None:
    await _grouped(device, exclusive=True)
    assert await held(device, "x") == ["own", "house", "bath", "garden"]
    assert await held(device, None) == ["own"]


async def test_a_policy_that_comes_twice_counts_once(device: Device) -> None:
    await _grouped(device)
    await device.registry.policy_attachments.attach("own", device.registry.thing_groups.arn("garden"))
    assert await held(device, "lamp") == ["own", "house", "bath", "garden"]


async def test_a_gateway_may_have_more_things_than_are_remembered(device: Device) -> None:
    count = principals.MANY_THINGS + 5
    for number in range(count):
        await device.registry.things.create(f"t{number:03}")
        await device.registry.thing_principals.attach(f"t{number:03}", device.arn)
    for number in range(count):
        assert (await device.grant(f"t{number:03}")).thing == ThingContext(f"t{number:03}", attached=True)
    assert (await device.grant(f"t{count:03}")).thing == ThingContext(f"t{count:03}", attached=False)


async def test_a_connection_that_comes_back_reads_nothing(
    device: Device, documents: MemoryDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    await device.registry.policies.create("p", policy("*"))
    await device.registry.policy_attachments.attach("p", device.arn)
    await device.registry.things.create("lamp")
    await device.registry.thing_principals.attach("lamp", device.arn)
    await device.registry.thing_groups.create("house")
    await device.registry.group_members.update("lamp", join=["house"])
    first = await device.grant()

    async def unavailable(*_: object, **__: object) -> list[Record]:
        raise AssertionError("storage was read")

    for method in ("get", "scan", "find"):
        monkeypatch.setattr(documents, method, unavailable)
    assert await device.grant() == first


async def test_that_a_certificate_has_no_thing_is_remembered(
    device: Device, documents: MemoryDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = device.registry
    await registry.policies.create("p", policy("*"))
    await registry.policy_attachments.attach("p", device.arn)
    first = await device.grant()
    with monkeypatch.context() as patch:
        patch.setattr(documents, "scan", None)
        assert await device.grant() == first
    await registry.things.create("lamp")
    await registry.thing_principals.attach("lamp", device.arn)
    assert (await device.grant()).thing != first.thing


async def test_what_changes_while_a_grant_is_put_together_is_in_it(
    device: Device, documents: MemoryDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = device.registry
    await registry.policies.create("p", policy("old"))
    await registry.policies.create_version("p", policy("new"), default=False)
    await registry.policy_attachments.attach("p", device.arn)
    await registry.things.create("lamp")
    await registry.thing_principals.attach("lamp", device.arn)
    get = documents.get
    changing = True

    async def get_slowly(kind: str, key: str) -> Record | None:
        nonlocal changing
        if kind == "thing" and changing:
            changing = False
            await registry.policies.set_default("p", "2")
        return await get(kind, key)

    monkeypatch.setattr(documents, "get", get_slowly)
    assert (await device.grant()).policies == (PolicyDocument("p", policy("new")),)


async def test_unknown_certificates_are_not_remembered(registry: Registry, enrol: Enrol) -> None:
    """A flood of them must not push out those that belong here."""
    await Device(registry, await enrol()).grant()
    caches = registry.principals._certificates, registry.principals._attached
    before = [len(cache) for cache in caches]
    for number in range(100):
        stranger = await registry.principals.identify(str(number).encode())
        await registry.principals.grant(stranger, "lamp")
    assert [len(cache) for cache in caches] == before


Step = Callable[[Device], Awaitable[object]]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda it: it.registry.certificates.update(it.id, CertificateStatus.REVOKED), True),
        (lambda it: it.registry.certificates.update(it.id, CertificateStatus.ACTIVE), False),
        (lambda it: it.registry.policy_attachments.attach("q", it.arn), True),
        (lambda it: it.registry.policy_attachments.attach("p", it.arn), False),
        (lambda it: it.registry.policy_attachments.detach("p", it.arn), True),
        (lambda it: it.registry.policy_attachments.detach("q", it.arn), False),
        (lambda it: it.registry.policies.create_version("p", policy("C"), default=True), True),
        (lambda it: it.registry.policies.create_version("p", policy("C"), default=False), False),
        (lambda it: it.registry.policies.set_default("p", "2"), True),
        (lambda it: it.registry.policies.delete("q"), False),
        (lambda it: it.registry.things.update("lamp"), True),
        (lambda it: it.registry.things.update("fan"), False),
        (lambda it: it.registry.things.create("new"), False),
        (lambda it: it.registry.things.delete("fan"), False),
        (lambda it: it.registry.thing_principals.attach("fan", it.arn), True),
        (lambda it: it.registry.thing_principals.detach("lamp", it.arn), True),
    ],
)
async def test_who_watches_hears_of_changes_before_the_call_returns_and_sees_them(
    device: Device, step: Step, told: bool
) -> None:
    registry = device.registry
    for name in ("p", "q"):
        await registry.policies.create(name, policy(name))
    await registry.policies.create_version("p", policy("B"), default=False)
    await registry.policy_attachments.attach("p", device.arn)
    for name in ("lamp", "fan"):
        await registry.things.create(name)
    await registry.thing_principals.attach("lamp", device.arn)
    before = (await device.identity(), await device.grant("lamp"), await device.grant("fan"))
    heard: list[frozenset[str]] = []
    seen: list[tuple[Identity, Grant, Grant]] = []

    async def listener(identities: frozenset[str]) -> None:
        seen.append((await device.identity(), await device.grant("lamp"), await device.grant("fan")))
        heard.append(identities)

    registry.principals.watch(listener)
    await step(device)
    after = (await device.identity(), await device.grant("lamp"), await device.grant("fan"))
    assert heard == ([frozenset((device.id,))] if told else [])
    assert all(one == after for one in seen)
    if not told:
        assert after == before


def _house(it: Device) -> str:
    return it.registry.thing_groups.arn("house")


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (lambda it: it.registry.policy_attachments.attach("spare", _house(it)), "own bath house spare garden"),
        (lambda it: it.registry.policy_attachments.detach("house", _house(it)), "own bath garden"),
        (lambda it: it.registry.policies.create_version("bath", policy("X"), default=True), "own bath house garden"),
        (lambda it: it.registry.group_members.update("lamp", leave=["bath"]), "own garden"),
        (lambda it: it.registry.group_members.update("lamp", join=["house"], leave=["bath"]), "own house garden"),
        (lambda it: it.registry.thing_groups.delete("bath"), "own garden"),
        (lambda it: it.registry.thing_principals.detach("lamp", it.arn), "own"),
        # what makes no difference to this device is not told
        (lambda it: it.registry.group_members.update("fan", join=["bath"]), None),
        (lambda it: it.registry.thing_groups.create("attic", parent="house"), None),
        (lambda it: it.registry.thing_groups.update("bath", description="wet"), None),
        (lambda it: it.registry.policy_attachments.attach("spare", it.registry.thing_groups.arn("street")), None),
    ],
)
async def test_who_watches_hears_of_changes_of_groups_and_sees_them(
    device: Device, step: Step, after: str | None
) -> None:
    await _grouped(device)
    before = await device.grant("lamp")
    heard: list[frozenset[str]] = []
    seen: list[Grant] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)
        seen.append(await device.grant("lamp"))

    device.registry.principals.watch(listener)
    await step(device)
    now = await device.grant("lamp")
    assert heard == ([] if after is None else [frozenset((device.id,))])
    if after is None:
        assert now == before
    else:
        assert seen == [now]
        assert now != before
        assert {one.name for one in now.policies} == {*after.split()}


async def test_a_whole_fleet_hears_of_its_groups_policy(registry: Registry, enrol: Enrol) -> None:
    """All pages of it."""
    await registry.policies.create("p", policy("A"))
    await registry.thing_groups.create("house")
    await registry.thing_groups.create("room", parent="house")
    ids = set()
    for number in range(5):
        certificate = await enrol()
        await registry.things.create(f"t{number}")
        await registry.thing_principals.attach(f"t{number}", registry.certificates.arn(certificate.id))
        await registry.group_members.update(f"t{number}", join=["room" if number else "house"])
        ids.add(certificate.id)
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listener)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fogbank.registry.holders.PAGE", 2)
        await registry.policy_attachments.attach("p", registry.thing_groups.arn("house"))
        await registry.policies.create_version("p", policy("B"), default=True)
    assert heard == [frozenset(ids)] * 2


async def test_deleting_a_certificate_is_told(device: Device) -> None:
    await device.registry.certificates.update(device.id, CertificateStatus.INACTIVE)
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    device.registry.principals.watch(listener)
    await device.registry.certificates.delete(device.id)
    assert heard == [frozenset((device.id,))]


async def test_a_new_default_version_is_told_to_all_who_hold_the_policy(registry: Registry, enrol: Enrol) -> None:
    await registry.policies.create("p", policy("A"))
    held = {(await enrol()).id for _ in range(7)}
    await enrol()
    for one in held:
        await registry.policy_attachments.attach("p", registry.certificates.arn(one))
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listener)
    await registry.policies.create_version("p", policy("B"), default=True)
    assert heard == [frozenset(held)]


async def test_a_things_type_says_which_properties_its_messages_bear(device: Device) -> None:
    """Developer guide, thing-types-propagating-attributes."""
    registry = device.registry
    colour = PropagatingAttribute(key="c", thing_attribute="colour")
    name = PropagatingAttribute(key="n", connection_attribute="iot:Thing.ThingName")
    client = PropagatingAttribute(key="i", connection_attribute="iot:ClientId")
    await registry.thing_types.create("light", propagating=[colour, name, client])
    await registry.things.create("lamp", type_name="light", attributes={"colour": "red"})

    async def properties(client_id: str) -> tuple[tuple[str, str], ...]:
        thing = (await device.grant(client_id)).thing
        return () if thing is None else thing.properties

    assert await properties("lamp") == (), "it is not attached"
    await registry.thing_principals.attach("lamp", device.arn)
    assert await properties("lamp") == (("c", "red"), ("n", "lamp"), ("i", "lamp"))
    await registry.thing_principals.attach("lamp", device.arn, exclusive=True)
    assert await properties("other") == (("c", "red"), ("n", "lamp"), ("i", "other"))
    await registry.things.update("lamp", attributes=AttributeUpdate({"watts": "5"}))
    assert await properties("lamp") == (("n", "lamp"), ("i", "lamp"))
    await registry.thing_types.update("light", None, None, [])
    assert await properties("lamp") == ()


async def test_connections_hear_of_what_propagates(device: Device) -> None:
    registry = device.registry
    await registry.thing_types.create("light")
    await registry.things.create("lamp", type_name="light")
    await registry.thing_principals.attach("lamp", device.arn)
    heard: list[frozenset[str]] = []

    async def listener(identities: frozenset[str]) -> None:
        heard.append(identities)

    registry.principals.watch(listener)
    await registry.thing_types.update("light", "shines", None)
    assert heard == []
    client = PropagatingAttribute(key="i", connection_attribute="iot:ClientId")
    await registry.thing_types.update("light", None, None, [client])
    assert heard == [frozenset((device.id,))]
