"""Client certificates: created, listed, activated, revoked, deleted (developer guide, x509-client-certs)."""

import asyncio
import hashlib
import uuid

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import DeleteConflict, InvalidRequest, ResourceNotFound
from fogbank.ports import Documents
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import CERTIFICATE_ID
from fogbank.registry.creation_order import CreationOrder
from fogbank.registry.device_issuer import DeviceIssuer, IssuedKeys
from fogbank.registry.errors import CertificateState
from fogbank.registry.paging import MARKER_PAGE, Page, Paging
from fogbank.registry.records import Certificate, CertificateStatus, Records, attachments_prefix
from fogbank.storage.collection import Stored

_SETTABLE = (CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED)


def certificate_id_of(der: bytes) -> str:
    """AWS's certificate ID: the SHA-256 digest of the DER form in hex."""
    return hashlib.sha256(der).hexdigest()


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
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._issuer = issuer

    def arn(self, id_: str) -> str:
        return self._arns.iot("cert", id_)

    async def create_with_keys(self, *, active: bool) -> tuple[Certificate, IssuedKeys]:
        """A certificate for a fresh RSA 2048 key pair. Nobody can ask for the private key again.

        The key is made on a thread, so that the event loop serves others meanwhile.
        """
        issued = await asyncio.to_thread(self._issuer.keys_and_certificate)
        return await self._register(issued.certificate, active=active), issued

    async def create_from_request(self, request: str, *, active: bool) -> Certificate:
        """A certificate for a PKCS #10 request in PEM. The same request makes another certificate every time.

        Raises InvalidRequest.
        """
        return await self._register(self._issuer.from_request(request), active=active)

    async def describe(self, id_: str) -> Certificate:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(id_)).value

    async def stored(self, id_: str) -> Stored[Certificate]:
        """The certificate with the version it is stored at, to hold on to. Raises ResourceNotFound, InvalidRequest."""
        found = await self._records.certificates.get(CERTIFICATE_ID.check(id_).lower())
        if found is None:
            raise ResourceNotFound(f"The certificate given in the request does not exist: {id_}")
        return found

    async def page(self, paging: Paging, *, ascending: bool = False) -> Page[Certificate]:
        """In order of creation; newest first unless `ascending`."""
        page = await paging.page(
            f"certificates {ascending}",
            lambda after, limit: self._order.read(after, limit, ascending=ascending),
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
            value = msgspec.structs.replace(stored.value, status=status, modified=self._clock.time())
            write = self._records.certificates.putting(stored.key, value, expect=stored.version)
            await self._changes.commit(write, change=_change(stored.key))

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
                *(self._records.policy_attachments.deleting(one.key) for one in policies),
                change=_change(stored.key),
            )

        await settle(attempt)

    async def _register(self, certificate: x509.Certificate, *, active: bool) -> Certificate:
        now = self._clock.time()
        value = Certificate(
            id=certificate_id_of(certificate.public_bytes(Encoding.DER)),
            pem=certificate.public_bytes(Encoding.PEM).decode(),
            status=CertificateStatus.ACTIVE if active else CertificateStatus.INACTIVE,
            created=now,
            modified=now,
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            generation=str(uuid.uuid4()),
        )
        await self._changes.commit(
            self._records.certificates.putting(value.id, value, expect=0),
            *self._order.entering(value.id, now),
            change=_change(value.id),
        )
        return value


def _change(id_: str) -> Change:
    return Change(certificates=frozenset((id_,)), identities=frozenset((id_,)))
