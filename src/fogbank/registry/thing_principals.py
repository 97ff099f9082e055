"""Which certificates stand for which things (developer guide, exclusive-thing; API reference, AttachThingPrincipal).

As with policies, an attachment is written together with the certificate and the thing as they were read.
"""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.records import Records, ThingAttachment, attachment_key, attachments_prefix
from fogbank.registry.targets import certificate_of
from fogbank.registry.things import Things
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Page, Paging, filtered


class ThingPrincipals:
    """Attaches certificates to things. Principals are given as ARNs."""

    def __init__(
        self,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        *,
        certificates: Certificates,
        things: Things,
    ) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._certificates = certificates
        self._things = things

    async def attach(self, thing: str, principal: str, *, exclusive: bool | None = None) -> None:
        """Let `principal` stand for `thing`; `exclusive`: for no other thing, now and later.

        Attaching once more is no error and, unless `exclusive` is given, changes nothing.
        Raises ResourceNotFound, InvalidRequest.
        """
        id_ = certificate_of(principal, self._arns)

        async def attempt() -> None:
            stored = await self._things.stored(thing)
            certificate = await self._certificates.stored(id_)
            key = attachment_key(id_, thing)
            there = await self._records.thing_attachments.get(key)
            if there is not None and exclusive in (None, there.value.exclusive):
                return
            others = await self._others(id_, thing)
            if others and (exclusive or others[0].value.exclusive):
                raise InvalidRequest(
                    f"Principal {principal} is attached to thing {others[0].value.thing}"
                    f"{' exclusively' if others[0].value.exclusive else ''}:"
                    f" it cannot be attached to thing {thing}{' exclusively' if exclusive else ''} as well"
                )
            value = ThingAttachment(certificate=id_, thing=thing, exclusive=bool(exclusive), created=self._clock.time())
            await self._changes.commit(
                held(self._records.things, stored),
                held(self._records.certificates, certificate),
                self._records.thing_attachments.putting(key, value, expect=0 if there is None else there.version),
                change=_change(id_),
            )

        await settle(attempt)

    async def detach(self, thing: str, principal: str) -> None:
        """Let `principal` no longer stand for `thing`; where it did not, nothing changes.

        Raises ResourceNotFound (the thing), InvalidRequest.
        """
        id_ = certificate_of(principal, self._arns)
        await self._things.stored(thing)
        key = attachment_key(id_, thing)
        if await self._records.thing_attachments.get(key) is not None:
            await self._changes.commit(self._records.thing_attachments.deleting(key), change=_change(id_))

    async def of_thing(self, thing: str, paging: Paging, *, exclusive: bool | None = None) -> Page[ThingAttachment]:
        """The attachments of `thing`, of one type where `exclusive` is given. Raises ResourceNotFound."""
        try:
            await self._things.stored(thing)
        except ResourceNotFound:
            raise ResourceNotFound(
                f"Failed to list principals for thing {thing} because the thing does not exist in your account"
            ) from None

        async def read(after: str, limit: int) -> list[Stored[ThingAttachment]]:
            return await self._records.thing_attachments.find("thing", thing, after=after, limit=limit)

        return await paging.values(
            f"principals of {thing} {exclusive}",
            read if exclusive is None else filtered(read, lambda one: one.exclusive is exclusive),
        )

    async def of_principal(
        self, principal: str, paging: Paging, *, exclusive: bool | None = None
    ) -> Page[ThingAttachment]:
        """The attachments of `principal`, of one type where `exclusive` is given. Raises ResourceNotFound."""
        id_ = certificate_of(principal, self._arns)
        await self._certificates.stored(id_)

        async def read(after: str, limit: int) -> list[Stored[ThingAttachment]]:
            return await self._records.thing_attachments.scan(prefix=attachments_prefix(id_), after=after, limit=limit)

        return await paging.values(
            f"things of {id_} {exclusive}",
            read if exclusive is None else filtered(read, lambda one: one.exclusive is exclusive),
        )

    async def _others(self, certificate: str, thing: str) -> list[Stored[ThingAttachment]]:
        """Attachments of the certificate to other things: all that matter are among its first two."""
        first = await self._records.thing_attachments.scan(prefix=attachments_prefix(certificate), limit=2)
        return [one for one in first if one.value.thing != thing]


def _change(certificate: str) -> Change:
    ids = frozenset((certificate,))
    return Change(certificates=ids, identities=ids)
