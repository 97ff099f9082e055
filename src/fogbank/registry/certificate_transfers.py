"""Certificates on their way to another account (API reference, TransferCertificate).

An instance is one account, the one it was started with; the other one is elsewhere. So a transfer out is begun here,
listed and cancelled. Accepting and rejecting are for the account that a certificate is being transferred to: here they
work where that is this instance's own, which it is once the instance is started with that account's ID (names, not
ARNs, are stored: what an instance keeps moves with it). For everybody else there is no transfer to accept.
"""

import asyncio
import re
from collections.abc import Callable

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.ports import Delete, Documents, Put
from fogbank.registry.certificates import Certificates, certificate_change
from fogbank.registry.changes import Changes, settle
from fogbank.registry.creation_order import CreationOrder
from fogbank.registry.errors import CertificateState, TransferAlreadyCompleted, TransferConflict
from fogbank.registry.records import Certificate, CertificateStatus, Records, Transfer, attachments_prefix
from fogbank.storage.collection import Stored
from fogbank.storage.paging import MARKER_PAGE, Page, Paging

_TRANSFERABLE = (CertificateStatus.INACTIVE,)
_LONGEST_MESSAGE = 128

Rewrite = Callable[[Certificate, Transfer], Certificate]


class CertificateTransfers:
    """Begins, lists and ends transfers."""

    def __init__(
        self,
        documents: Documents,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        *,
        certificates: Certificates,
    ) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._certificates = certificates
        self._outgoing = CreationOrder(documents, "outgoing-certificate")

    async def begin(self, id_: str, target: str, message: str | None = None) -> str:
        """Offer an INACTIVE certificate that holds nothing to another account; its ARN there.

        Raises ResourceNotFound, InvalidRequest, CertificateState, TransferConflict. UNVERIFIED: AWS's text for a
        transfer to the own account, and that it is InvalidRequest.
        """
        if not re.fullmatch(r"[0-9]{12}", target):
            raise InvalidRequest(f"{target[:64]!r} is not an AWS account ID: it has twelve digits.")
        if target == self._arns.account:
            raise InvalidRequest(f"The certificate belongs to the account {target} already.")
        _check_message("transferMessage", message)

        async def attempt() -> str:
            stored = await self._certificates.stored(id_)
            if stored.value.status not in _TRANSFERABLE:
                raise CertificateState(
                    f"Only an INACTIVE certificate can be transferred; this one is {stored.value.status.value}. "
                    f"Id: {stored.key}"
                )
            prefix = attachments_prefix(stored.key)
            if await self._records.policy_attachments.scan(prefix=prefix, limit=1):
                raise TransferConflict(f"Policies must be detached before the certificate is transferred: {stored.key}")
            if await self._records.thing_attachments.scan(prefix=prefix, limit=1):
                raise TransferConflict(f"Things must be detached before the certificate is transferred: {stored.key}")
            transfer = Transfer(
                source=self._arns.account, target=target, started=self._clock.time(), message=message or None
            )
            value = msgspec.structs.replace(stored.value, status=CertificateStatus.PENDING_TRANSFER, transfer=transfer)
            await self._write(stored, value, self._outgoing.entering(stored.key, stored.value.created))
            return msgspec.structs.replace(self._arns, account=target).iot("cert", stored.key)

        return await settle(attempt)

    async def cancel(self, id_: str) -> None:
        """Take the offer back; the certificate is INACTIVE again. Raises ResourceNotFound, TransferAlreadyCompleted."""

        def cancelled(value: Certificate, transfer: Transfer) -> Certificate:
            if transfer.source != self._arns.account:
                raise _nothing(id_, "from")
            return msgspec.structs.replace(value, status=CertificateStatus.INACTIVE, transfer=None)

        await self._end(id_, cancelled)

    async def accept(self, id_: str, *, active: bool = False) -> None:
        """Take over what is offered to this account. Raises ResourceNotFound, TransferAlreadyCompleted."""

        def accepted(value: Certificate, transfer: Transfer) -> Certificate:
            self._check_addressee(id_, transfer)
            return msgspec.structs.replace(
                value,
                status=CertificateStatus.ACTIVE if active else CertificateStatus.INACTIVE,
                previous_owner=transfer.source,
                customer_version=value.customer_version + 1,
                transfer=msgspec.structs.replace(transfer, accepted=self._clock.time()),
            )

        await self._end(id_, accepted)

    async def reject(self, id_: str, reason: str | None = None) -> None:
        """Refuse it; it is INACTIVE, and its owner's. Raises ResourceNotFound, TransferAlreadyCompleted."""
        _check_message("rejectReason", reason)

        def rejected(value: Certificate, transfer: Transfer) -> Certificate:
            self._check_addressee(id_, transfer)
            ended = msgspec.structs.replace(transfer, rejected=self._clock.time(), reject_reason=reason or None)
            return msgspec.structs.replace(value, status=CertificateStatus.INACTIVE, transfer=ended)

        await self._end(id_, rejected)

    async def outgoing(self, paging: Paging, *, ascending: bool = False) -> Page[Certificate]:
        """Certificates that are offered and not yet accepted, in order of creation; newest first unless `ascending`."""
        page = await paging.page(
            f"outgoing certificates {ascending}",
            lambda after, limit: self._outgoing.read(after, limit, ascending=ascending),
            default=MARKER_PAGE,
        )
        found = await asyncio.gather(*(self._records.certificates.get(entry.value.name) for entry in page.items))
        return Page([one.value for one in found if one is not None and one.value.transfer is not None], page.next)

    def _check_addressee(self, id_: str, transfer: Transfer) -> None:
        if transfer.target != self._arns.account:
            raise _nothing(id_, "to")

    async def _end(self, id_: str, rewrite: Rewrite) -> None:
        async def attempt() -> None:
            stored = await self._certificates.stored(id_)
            transfer = stored.value.transfer
            if stored.value.status is not CertificateStatus.PENDING_TRANSFER or transfer is None:
                if transfer is not None:
                    raise TransferAlreadyCompleted(f"The certificate's transfer is complete already. Id: {stored.key}")
                raise ResourceNotFound(f"The certificate is not being transferred: {stored.key}")
            leaving = self._outgoing.leaving(stored.key, stored.value.created)
            await self._write(stored, rewrite(stored.value, transfer), leaving)

        await settle(attempt)

    async def _write(self, stored: Stored[Certificate], value: Certificate, others: list[Put] | list[Delete]) -> None:
        value = msgspec.structs.replace(value, modified=self._clock.time())
        write = self._records.certificates.putting(stored.key, value, expect=stored.version)
        await self._changes.commit(write, *others, change=certificate_change(stored.key))


def _nothing(id_: str, direction: str) -> ResourceNotFound:
    return ResourceNotFound(f"There is no transfer of the certificate {id_} {direction} this account.")


def _check_message(member: str, text: str | None) -> None:
    if text is not None and len(text) > _LONGEST_MESSAGE:
        raise InvalidRequest(f"{member} is longer than {_LONGEST_MESSAGE} characters.")
