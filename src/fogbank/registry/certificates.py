"""Client certificates: created, listed, activated, revoked, deleted (developer guide, x509-client-certs)."""

import asyncio
import datetime
import uuid
from collections.abc import Callable, Iterable

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import DeleteConflict, InvalidRequest, ResourceNotFound
from fogbank.ports import Delete, Documents, Expect, Put
from fogbank.registry.authority import END
from fogbank.registry.certificate_checks import certificate_id_of, content_digest, id_of, issued_entry, name_digest
from fogbank.registry.certificate_expiry import ExpiryOrder
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import CERTIFICATE_ID
from fogbank.registry.creation_order import CreationOrder
from fogbank.registry.device_issuer import DeviceIssuer, IssuedKeys
from fogbank.registry.errors import CertificateState
from fogbank.registry.records import (
    CaCertificate,
    Certificate,
    CertificateMode,
    CertificateStatus,
    Records,
    attachments_prefix,
)
from fogbank.storage.collection import Stored
from fogbank.storage.paging import MARKER_PAGE, Page, Paging

__all__ = ["Certificates", "certificate_id_of"]

_SETTABLE = (CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED)

Along = Callable[[str], Iterable[Put]]
"""Given the ID of a new certificate, what is written with it, in one batch."""


class Certificates:
    """The registered client certificates."""

    def __init__(
        self,
        documents: Documents,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        issuer: DeviceIssuer,
    ) -> None:
        self._records = records
        self._order = CreationOrder(documents, "certificate")
        self._expiry = ExpiryOrder(documents)
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._issuer = issuer

    def arn(self, id_: str) -> str:
        return self._arns.iot("cert", id_)

    async def create_with_keys(
        self,
        *,
        active: bool = False,
        pending: bool = False,
        until: datetime.datetime | None = None,
        listed: bool = True,
        along: Along = lambda _: (),
    ) -> tuple[Certificate, IssuedKeys]:
        """A certificate for a fresh RSA 2048 key pair. Nobody can ask for the private key again.

        `pending`: PENDING_ACTIVATION, until provisioning is through with it. `until` is when it ends, `listed` whether
        ListCertificates shows it, `along` what is written together with it. The key is made on a thread, so that the
        event loop serves others meanwhile.
        """
        issued = await asyncio.to_thread(self._issuer.keys_and_certificate, until or END)
        value = self._new(issued.certificate, _status(active=active, pending=pending))
        return await self.enter(msgspec.structs.replace(value, listed=listed), *along(value.id)), issued

    async def create_from_request(
        self, request: str, *, active: bool = False, pending: bool = False, along: Along = lambda _: ()
    ) -> Certificate:
        """A certificate for a PKCS #10 request in PEM. The same request makes another certificate every time.

        Raises InvalidRequest.
        """
        certificate = self._issuer.from_request(request)
        value = self._new(certificate, _status(active=active, pending=pending))
        return await self.enter(value, *along(value.id))

    async def describe(self, id_: str) -> Certificate:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(id_)).value

    async def stored(self, id_: str) -> Stored[Certificate]:
        """The certificate with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.certificates.get(CERTIFICATE_ID.check(id_).lower())
        if found is None:
            raise ResourceNotFound(f"The certificate given in the request does not exist: {id_}")
        return found

    def enrolled(
        self, certificate: x509.Certificate, status: CertificateStatus, ca: CaCertificate | None
    ) -> Certificate:
        """What is to be stored of a customer's certificate, of a registered CA or none: the mode is the CA's, and
        SNI_ONLY without one (API reference, RegisterCertificate, RegisterCertificateWithoutCA)."""
        return msgspec.structs.replace(
            self._new(certificate, status),
            ca=None if ca is None else ca.id,
            mode=CertificateMode.SNI_ONLY if ca is None else ca.mode,
            issued=issued_entry(name_digest(certificate.issuer), certificate.serial_number),
            content=content_digest(certificate),
        )

    async def enter(self, value: Certificate, *writes: Put | Delete | Expect) -> Certificate:
        """Store a new certificate, in one batch with `writes`. Raises StaleVersion where there is one of its ID."""
        await self._changes.commit(
            self._records.certificates.putting(value.id, value, expect=0),
            *(self._order.entering(value.id, value.created) if value.listed else ()),
            *(() if value.ca is None else self._order.entering(value.id, value.created, value.ca)),
            *self._expiry.entering(value),
            *writes,
            change=certificate_change(value.id),
        )
        return value

    async def page(self, paging: Paging, *, ascending: bool = False) -> Page[Certificate]:
        """In order of creation, newest first unless `ascending`."""
        return await self._page(paging, ascending, "")

    async def page_of_ca(self, ca: str, paging: Paging, *, ascending: bool = False) -> Page[Certificate]:
        """The same of those that a CA has issued, registered as it is or no longer. Raises InvalidRequest."""
        return await self._page(paging, ascending, CERTIFICATE_ID.check(ca).lower())

    async def _page(self, paging: Paging, ascending: bool, ca: str) -> Page[Certificate]:
        page = await paging.page(
            f"certificates {ca} {ascending}",
            lambda after, limit: self._order.read(after, limit, ascending=ascending, part=ca),
            default=MARKER_PAGE,
        )
        found = await asyncio.gather(*(self._records.certificates.get(entry.value.name) for entry in page.items))
        return Page([one.value for one in found if one is not None], page.next)

    async def update(self, id_: str, status: CertificateStatus) -> None:
        """Set the status; who is connected with it hears of that before this returns. Idempotent.

        Raises ResourceNotFound, InvalidRequest for a status that is not the caller's to set, and CertificateState
        for a revoked certificate: "once a certificate is revoked, its status can't be changed" (developer guide,
        revoke-ca-cert).
        """
        if status not in _SETTABLE:
            raise InvalidRequest(
                f"{status.value} is set by AWS IoT itself or deprecated; newStatus can be ACTIVE, INACTIVE or REVOKED"
            )

        async def attempt() -> None:
            stored = await self.stored(id_)
            if stored.value.status is status:
                return
            if stored.value.status is CertificateStatus.REVOKED:
                raise CertificateState(f"A revoked certificate's status cannot be changed. Id: {stored.key}")
            if stored.value.status is CertificateStatus.PENDING_TRANSFER:
                raise CertificateState(f"A certificate that is being transferred belongs to nobody. Id: {stored.key}")
            value = msgspec.structs.replace(stored.value, status=status, modified=self._clock.time())
            write = self._records.certificates.putting(stored.key, value, expect=stored.version)
            await self._changes.commit(write, change=certificate_change(stored.key))

        await settle(attempt)

    async def delete(self, id_: str, *, force: bool = False) -> None:
        """Remove a certificate that is not ACTIVE and holds nothing; with `force` it may hold policies, not things.

        Raises ResourceNotFound, CertificateState, DeleteConflict.
        """

        async def attempt() -> None:
            stored = await self.stored(id_)
            if stored.value.status is CertificateStatus.ACTIVE:
                raise CertificateState(
                    f"Certificate must be deactivated (not ACTIVE) before deletion. Id: {stored.key}"
                )
            if stored.value.status is CertificateStatus.PENDING_TRANSFER:
                raise CertificateState(f"Cancel the certificate's transfer before deletion. Id: {stored.key}")
            prefix = attachments_prefix(stored.key)
            if await self._records.thing_attachments.scan(prefix=prefix, limit=1):
                raise DeleteConflict(f"Things must be detached before deletion (arn: {self.arn(stored.key)})")
            policies = await self._records.policy_attachments.scan(prefix=prefix)
            if policies and not force:
                raise DeleteConflict(
                    f"Certificate policies must be detached before deletion (arn: {self.arn(stored.key)})"
                )
            await self._changes.commit(
                self._records.certificates.deleting(stored.key, expect=stored.version),
                *self._order.leaving(stored.key, stored.value.created),
                *self._leaving_ca(stored.value),
                *self._expiry.leaving(stored.value),
                *(self._records.policy_attachments.deleting(one.key) for one in policies),
                change=certificate_change(stored.key),
            )

        await settle(attempt)

    def _leaving_ca(self, value: Certificate) -> list[Delete]:
        return [] if value.ca is None else self._order.leaving(value.id, value.created, value.ca)

    def _new(self, certificate: x509.Certificate, status: CertificateStatus) -> Certificate:
        now = self._clock.time()
        return Certificate(
            id=id_of(certificate),
            pem=certificate.public_bytes(Encoding.PEM).decode(),
            status=status,
            created=now,
            modified=now,
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            generation=str(uuid.uuid4()),
        )


def _status(*, active: bool, pending: bool) -> CertificateStatus:
    if pending:
        return CertificateStatus.PENDING_ACTIVATION
    return CertificateStatus.ACTIVE if active else CertificateStatus.INACTIVE


def certificate_change(id_: str) -> Change:
    """That a certificate was made, altered or removed."""
    return Change(certificates=frozenset((id_,)), identities=frozenset((id_,)))
