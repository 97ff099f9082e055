"""Revocation lists (RFC 5280, section 5): a CA names the certificates that it takes back, and all of them are REVOKED.

AWS has no such operation; there everybody writes a handler that does it one by one. A list counts where the key of a
registered CA has signed it and it is not older than the one before. What it names is remembered whether it is
registered here or not, so that a certificate that turns up later (at its first connection, say) is refused. That is
written first, and registrations rest on its absence: so none slips through between.

A list may be taken again, and must be where taking it was interrupted: only when all is done it counts as seen. REVOKED
is final here, and so a certificate that a list puts on hold does not come back by the next one.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from fogbank.clock import Clock
from fogbank.errors import InvalidRequest
from fogbank.ports import Documents, Put
from fogbank.registry import certificate_checks as checks
from fogbank.registry.ca_certificates import CaCertificates, KnownCa
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.errors import CertificateValidation
from fogbank.registry.records import Certificate, CertificateStatus, Records, RevocationList, RevokedSerial
from fogbank.storage.collection import Stored

LARGEST_LIST = 32 * 1024 * 1024
"""Bytes: the better part of a million entries."""
BATCH = 500
_AHEAD = 300.0
"""Seconds that a CA's clock may be before ours. A list from further in the future would shut out those that follow."""
_HASHES = frozenset({"sha256", "sha384", "sha512"})


def revoked_key(authority: str, serial: int) -> str:
    """The key under which a serial number of an authority (`CaCertificate.authority`) is remembered as revoked."""
    return f"{authority}/{serial:x}"


class Revoked(msgspec.Struct, frozen=True, rename="camel"):
    """What taking a list has come to."""

    ca_certificate_ids: tuple[str, ...]
    """The registered CA certificates with the key that signed it."""
    this_update: float
    """Seconds since the epoch."""
    number: int | None
    entries: int
    """Certificates that the list names."""
    revoked: int
    """Registered certificates that are REVOKED by it and were not before."""


class _Entry(msgspec.Struct, frozen=True):
    serial: int
    revoked: float
    reason: str | None


class _List(msgspec.Struct, frozen=True):
    """A parsed list."""

    crl: x509.CertificateRevocationList
    digest: str
    number: int | None
    entries: tuple[_Entry, ...]

    @property
    def this_update(self) -> float:
        return self.crl.last_update_utc.timestamp()


class Revocation:
    """Takes revocation lists."""

    def __init__(
        self, documents: Documents, records: Records, changes: Changes, clock: Clock, *, cas: CaCertificates
    ) -> None:
        self._documents = documents
        self._records = records
        self._changes = changes
        self._clock = clock
        self._cas = cas

    async def take(self, data: bytes) -> Revoked:
        """Revoke what a list, in PEM or DER, names. Raises CertificateValidation, InvalidRequest for an older list."""
        listed = await asyncio.to_thread(_parse, data)
        cas = await self._signers(listed.crl)
        authority = cas[0].record.authority
        await self._check_newest(authority, listed)
        revoked = 0
        for batch in _batches(listed.entries):
            await self._remember(authority, batch)
            revoked += await self._revoke(cas, batch)
        await self._seen(authority, listed)
        return Revoked(
            ca_certificate_ids=tuple(sorted(one.record.id for one in cas)),
            this_update=listed.this_update,
            number=listed.number,
            entries=len(listed.entries),
            revoked=revoked,
        )

    async def _signers(self, crl: x509.CertificateRevocationList) -> list[KnownCa]:
        """The registered CA certificates by whose one key the list is signed, in whatever state they are."""
        with checks.readable("The revocation list is malformed"):
            named = await self._cas.named(crl.issuer)
        signers = [one for one in named if _is_signed_by(crl, one.certificate)]
        if not signers:
            raise CertificateValidation("No registered CA certificate has signed the revocation list.")
        return signers

    async def _check_newest(self, authority: str, listed: _List) -> None:
        if listed.this_update > self._clock.time() + _AHEAD:
            raise CertificateValidation(
                f"The revocation list is of the future: its thisUpdate is {listed.crl.last_update_utc:%F %T} UTC."
            )
        stored = await self._records.revocation_lists.get(authority)
        if stored is not None and _is_older(listed, stored.value):
            raise InvalidRequest("The revocation list is older than one of this CA that was taken before.")

    async def _remember(self, authority: str, entries: Sequence[_Entry]) -> None:
        serials = self._records.revoked_serials
        keys = [revoked_key(authority, one.serial) for one in entries]
        known = await asyncio.gather(*map(serials.get, keys))
        new = [
            serials.putting(key, RevokedSerial(revoked=one.revoked, reason=one.reason))
            for key, one, stored in zip(keys, entries, known, strict=True)
            if stored is None
        ]
        if new:
            await self._documents.commit(*new)

    async def _revoke(self, cas: Sequence[KnownCa], entries: Sequence[_Entry]) -> int:
        """How many registered certificates are REVOKED now that were not."""
        certificates, subject = self._records.certificates, cas[0].record.subject

        async def attempt() -> int:
            found = await asyncio.gather(
                *(certificates.find("issued", checks.issued_entry(subject, one.serial)) for one in entries)
            )
            due = [
                one
                for some in found
                for one in some
                if one.value.status is not CertificateStatus.REVOKED and _is_of(one.value, cas)
            ]
            if due:
                ids = frozenset(one.key for one in due)
                await self._changes.commit(
                    *(self._revoking(one) for one in due), change=Change(certificates=ids, identities=ids)
                )
            return len(due)

        return await settle(attempt)

    def _revoking(self, stored: Stored[Certificate]) -> Put:
        value = msgspec.structs.replace(
            stored.value, status=CertificateStatus.REVOKED, modified=self._clock.time(), transfer=None
        )
        return self._records.certificates.putting(stored.key, value, expect=stored.version)

    async def _seen(self, authority: str, listed: _List) -> None:
        lists = self._records.revocation_lists

        async def attempt() -> None:
            stored = await lists.get(authority)
            if stored is not None and _is_older(listed, stored.value):
                return  # a newer one was taken meanwhile
            value = RevocationList(this_update=listed.this_update, number=listed.number, digest=listed.digest)
            await lists.put(authority, value, expect=0 if stored is None else stored.version)

        await settle(attempt)


def _is_of(certificate: Certificate, cas: Sequence[KnownCa]) -> bool:
    """Whether this authority has issued it, and not another one of the same name."""
    if any(certificate.ca == one.record.id for one in cas):
        return True
    parsed = x509.load_pem_x509_certificate(certificate.pem.encode())
    return any(checks.is_issued_by(parsed, one.certificate) for one in cas)


def _is_older(listed: _List, seen: RevocationList) -> bool:
    """By its number (RFC 5280 5.2.3) where both have one, else by its date."""
    if listed.number is not None and seen.number is not None:
        return listed.number < seen.number
    return listed.this_update < seen.this_update


def _is_signed_by(crl: x509.CertificateRevocationList, ca: x509.Certificate) -> bool:
    try:
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.crl_sign:
        return False
    try:
        return crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]  # CAs' keys are RSA and EC, see checks
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _parse(data: bytes) -> _List:
    """Raises CertificateValidation. Takes a second for some hundred thousand entries, and so is for a thread."""
    if len(data) > LARGEST_LIST:
        raise CertificateValidation(f"The revocation list is longer than {LARGEST_LIST} bytes.")
    with checks.readable("The revocation list is malformed"):
        pem = b"-----BEGIN X509 CRL-----" in data
        crl = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
        digest = crl.signature_hash_algorithm
        if digest is None or digest.name not in _HASHES:
            raise CertificateValidation("The revocation list is not signed with SHA-256, SHA-384 or SHA-512.")
        for extension in crl.extensions:
            if extension.critical or isinstance(extension.value, x509.DeltaCRLIndicator):
                raise CertificateValidation(
                    f"The revocation list is not a complete one of its CA: it has the extension {extension.oid._name} "
                    f"({extension.oid.dotted_string})."
                )
        entries = tuple(_entry(one) for one in crl)
        return _List(crl, hashlib.sha256(crl.public_bytes(Encoding.DER)).hexdigest(), _number(crl), entries)


def _entry(revoked: x509.RevokedCertificate) -> _Entry:
    reason = None
    for extension in revoked.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason.value
        elif extension.critical:  # certificateIssuer: an indirect list
            raise CertificateValidation("The revocation list names certificates of other CAs.")
    return _Entry(revoked.serial_number, revoked.revocation_date_utc.timestamp(), reason)


def _number(crl: x509.CertificateRevocationList) -> int | None:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return None


def _batches(entries: Sequence[_Entry]) -> Iterator[list[_Entry]]:
    rest = iter(entries)
    while batch := list(islice(rest, BATCH)):
        yield batch
