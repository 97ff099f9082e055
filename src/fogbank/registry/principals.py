"""The PrincipalStore: judges certificates and says what their holders may do. Asked on every connection.

Bounded caches hold what is stored, each under the key it is stored by: certificates, the things attached to them, the
policies that a certificate or a thing group holds, policies in their default version, things with their groups. A
connection that comes back costs no storage read, a thousand devices under one policy read it once. The caches forget
what the registry's own writes touch, as soon as it is durable and before anyone else hears of it; `Cache` sees to reads
that overlap a write.
"""

from collections.abc import Awaitable, Callable

import msgspec
from cryptography import x509

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener, ThingContext
from fogbank.registry.cache import Cache
from fogbank.registry.certificate_variables import Variables, certificate_variables
from fogbank.registry.certificates import certificate_id_of
from fogbank.registry.changes import Change, Changes
from fogbank.registry.records import (
    CertificateStatus,
    PropagatingAttribute,
    Records,
    attachments_prefix,
    memberships_prefix,
)
from fogbank.registry.targets import Holder, HolderKind

CERTIFICATES = 16_384
"""How many certificates, and attachments of certificates, are remembered: about a kilobyte each."""
THINGS = 16_384
POLICIES = 4_096
TYPES = 1_024
MANY_THINGS = 64
"""A certificate with more things (a shared one, a gateway's) has them looked up one by one."""
_LONGEST_CERTIFICATE = 65_536

ClaimRights = Callable[[str], Awaitable[PolicyDocument | None]]
"""Given a certificate's ID, the rights of the claim that it is."""


class _Known(msgspec.Struct, frozen=True):
    """What matters of a registered certificate."""

    status: CertificateStatus
    not_before: float
    not_after: float
    variables: Variables
    listed: bool


class _Thing(msgspec.Struct, frozen=True):
    """A thing with all the groups whose policies it inherits."""

    context: ThingContext
    groups: tuple[str, ...]


class Principals:
    """Implements `ports.PrincipalStore` for X.509 certificates."""

    def __init__(self, records: Records, changes: Changes, arns: Arns, clock: Clock) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._certificates = Cache(CERTIFICATES, self._read_certificate)
        self._policy_names = Cache(CERTIFICATES, self._read_policy_names)
        self._attached = Cache(CERTIFICATES, self._read_attached)
        self._policies = Cache(POLICIES, self._read_policy)
        self._things = Cache(THINGS, self._read_thing)
        self._propagating = Cache(TYPES, self._read_propagating)
        self.claim_rights: ClaimRights | None = None
        """Set by whoever makes claims: asked for the rights of certificates that are in no list."""
        changes.invalidate(self._forget)

    async def identify(self, certificate: bytes) -> Identity:
        """Judge a DER certificate whose private key the client has proven to hold. Never raises for a bad one."""
        if len(certificate) > _LONGEST_CERTIFICATE:
            id_ = certificate_id_of(certificate)
            return Identity(id_, self._arns.iot("cert", id_), active=False, reason="certificate is too large")
        return await self._judge(certificate_id_of(certificate))

    async def recheck(self, identity: Identity) -> Identity:
        """The identity as it stands now: revoked in the meantime, expired, or gone."""
        return await self._judge(identity.id)

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        """Policies of the certificate and of its thing's groups, and the thing that the connection stands for.

        That is the one to which the certificate is attached exclusively, else the one named like the client, where
        the certificate is attached to it (developer guide, thing-policy-variables). Over HTTP (no client ID) there is
        none, and so there are no groups. The policies of a group are those of all groups above it too (developer
        guide, thing-groups, Attach a policy). All of it is as it stood at one moment: what changes while this reads
        makes it read again.
        """
        while True:
            before = self._changes.count
            thing = await self._thing(identity.id, client_id)
            holders = [Holder(HolderKind.CERTIFICATE, identity.id)]
            if thing is not None:
                holders += [Holder(HolderKind.GROUP, group) for group in thing.groups]
            names = dict.fromkeys([name for one in holders for name in await self._policy_names.get(one) or ()])
            policies = [await self._policies.get(name) for name in names]
            policies.append(await self._of_claim(identity.id))
            if before == self._changes.count:
                return Grant(tuple(one for one in policies if one is not None), _context(thing, client_id))

    def watch(self, listener: PrincipalListener) -> None:
        """Await `listener` with the identities whose status, policies or thing changed, before the call is answered."""
        self._changes.watch(listener)

    async def _judge(self, id_: str) -> Identity:
        arn = self._arns.iot("cert", id_)
        known = await self._certificates.get(id_)
        if known is None:
            return Identity(id_, arn, active=False, reason="unknown certificate")
        reason = self._why_not(known)
        return Identity(id_, arn, active=not reason, reason=reason, attributes=known.variables)

    def _why_not(self, known: _Known) -> str:
        if known.status is not CertificateStatus.ACTIVE:
            return f"certificate is {known.status.value}"
        now = self._clock.time()
        if now > known.not_after:
            return "certificate has expired"
        return "certificate is not valid yet" if now < known.not_before else ""

    async def _thing(self, id_: str, client_id: str | None) -> _Thing | None:
        if client_id is None or (attached := await self._attachment(id_, client_id)) is None:
            return None
        name, exclusive = attached
        thing = await self._things.get(name)
        if thing is None:
            return None
        properties = await self._properties(thing.context, client_id)
        if not exclusive and not properties:
            return thing
        context = msgspec.structs.replace(thing.context, exclusive=exclusive, properties=properties)
        return msgspec.structs.replace(thing, context=context)

    async def _properties(self, thing: ThingContext, client_id: str) -> tuple[tuple[str, str], ...]:
        """What the thing's type propagates of its attributes and its connection. An attribute that it has not is left
        out (UNVERIFIED)."""
        if thing.type_name is None:
            return ()
        values = {"iot:ClientId": client_id, "iot:Thing.ThingName": thing.name}
        found = []
        for one in await self._propagating.get(thing.type_name) or ():
            if one.thing_attribute is not None:
                value = thing.attributes.get(one.thing_attribute)
            else:
                value = values.get(one.connection_attribute or "")
            if value is not None:
                found.append((one.key, value))
        return tuple(found)

    async def _attachment(self, id_: str, client_id: str) -> tuple[str, bool] | None:
        """The thing that stands behind the connection, and whether it is the certificate's only one."""
        attached = await self._attached.get(id_)
        if attached is None:
            return None
        if len(attached) == 1 and next(iter(attached.values())):
            return next(iter(attached)), True
        if client_id in attached:
            return client_id, False
        if len(attached) <= MANY_THINGS or "/" in client_id:
            return None
        found = await self._records.thing_attachments.get(attachments_prefix(id_) + client_id)
        return None if found is None else (client_id, False)

    async def _of_claim(self, id_: str) -> PolicyDocument | None:
        """The rights that a provisioning claim has by itself; None where the certificate is none."""
        known = await self._certificates.get(id_)
        if known is None or known.listed or self.claim_rights is None:
            return None
        return await self.claim_rights(id_)

    def _forget(self, change: Change) -> None:
        for id_ in change.certificates:
            self._certificates.forget(id_)
            self._policy_names.forget(Holder(HolderKind.CERTIFICATE, id_))
            self._attached.forget(id_)
        for name in change.policies:
            self._policies.forget(name)
        for name in change.things:
            self._things.forget(name)
        for name in change.types:
            self._propagating.forget(name)
        for name in change.groups:
            self._policy_names.forget(Holder(HolderKind.GROUP, name))

    async def _read_certificate(self, id_: str) -> _Known | None:
        stored = await self._records.certificates.get(id_)
        if stored is None:
            return None
        value = stored.value
        variables = certificate_variables(x509.load_pem_x509_certificate(value.pem.encode()))
        return _Known(value.status, value.not_before, value.not_after, variables, value.listed)

    async def _read_policy_names(self, holder: Holder) -> tuple[str, ...] | None:
        """A certificate without policies, which may be a stranger's, is not remembered; a group without any is."""
        found = await self._records.policy_attachments.scan(prefix=holder.prefix)
        names = tuple(one.value.policy for one in found)
        return names if names or holder.kind is HolderKind.GROUP else None

    async def _read_attached(self, id_: str) -> dict[str, bool] | None:
        """Whether exclusively, by thing; at most one more than MANY_THINGS. None for a stranger's certificate."""
        found = await self._records.thing_attachments.scan(prefix=attachments_prefix(id_), limit=MANY_THINGS + 1)
        if not found and await self._certificates.get(id_) is None:
            return None
        return {one.value.thing: one.value.exclusive for one in found}

    async def _read_policy(self, name: str) -> PolicyDocument | None:
        stored = await self._records.policies.get(name)
        return None if stored is None else PolicyDocument(name, stored.value.document)

    async def _read_propagating(self, name: str) -> tuple[PropagatingAttribute, ...] | None:
        stored = await self._records.thing_types.get(name)
        return None if stored is None else stored.value.propagating

    async def _read_thing(self, name: str) -> _Thing | None:
        stored = await self._records.things.get(name)
        if stored is None:
            return None
        thing = stored.value
        members = await self._records.memberships.scan(prefix=memberships_prefix(name))
        groups = tuple(group for one in members for group in one.value.path)
        return _Thing(ThingContext(name, True, thing.type_name, thing.attributes), groups)


def _context(thing: _Thing | None, client_id: str | None) -> ThingContext | None:
    """A connection always stands for a thing: a thing that is not attached is known by its name alone."""
    if thing is not None:
        return thing.context
    return None if client_id is None else ThingContext(client_id, attached=False)
