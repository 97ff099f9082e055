"""Customers' certificate authorities: registered, switched on and off, found by the certificates that they issued.

Registering one needs a certificate for the account's registration code that it signed, which shows that its key is
ours to use; in the mode SNI_ONLY it needs none (developer guide, "Manage your CA certificates"). It is the CA that
directly signed the devices' certificates, whatever stands above it.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.ports import Documents, ResourceTags
from fogbank.registry import certificate_checks as checks
from fogbank.registry.cache import Cache
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.constraints import CERTIFICATE_ID
from fogbank.registry.creation_order import CreationOrder
from fogbank.registry.errors import CertificateState, CertificateValidation, RegistrationCodeValidation
from fogbank.registry.records import CaCertificate, CaStatus, CertificateMode, Records, RegistrationConfig
from fogbank.registry.registration_code import RegistrationCodes
from fogbank.storage.collection import Collection, Stored
from fogbank.storage.paging import MARKER_PAGE, Page, Paging

MOST_OF_A_SUBJECT = 10
"""CA certificates with one subject (General Reference, AWS IoT Core quotas)."""
_NAMED = 256
"""Subjects whose CAs are remembered, those that no CA has included."""
_SCANNED = 100

CheckRegistration = Callable[[RegistrationConfig], Awaitable[None]]
"""Raises ServiceError where devices could not be provisioned so."""


class KnownCa(msgspec.Struct, frozen=True):
    """A registered CA as it is stored, and its certificate."""

    stored: Stored[CaCertificate]
    certificate: x509.Certificate

    @property
    def record(self) -> CaCertificate:
        return self.stored.value


class _Subject(msgspec.Struct, frozen=True):
    """How many CA certificates have it: those who register the last ones at once meet here."""

    count: int


class CaCertificates:
    """The registered CA certificates. What concerns their devices' certificates is elsewhere."""

    def __init__(
        self,
        documents: Documents,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        codes: RegistrationCodes,
        tags: ResourceTags,
    ) -> None:
        self._cas = records.ca_certificates
        self._subjects = Collection(documents, "ca-subject", _Subject)
        self._order = CreationOrder(documents, "ca-certificate")
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._codes = codes
        self._tags = tags
        self._named = Cache(_NAMED, self._read_named)
        self.check_registration: CheckRegistration | None = None
        """Set by whoever provisions: asked before a registration configuration is stored."""
        changes.invalidate(self._forget)
        tags.register("cacert", self._cas.presence)

    def arn(self, id_: str) -> str:
        return self._arns.iot("cacert", id_)

    # --- registered and removed ---------------------------------------------------------------------------------------

    async def register(
        self,
        pem: str,
        verification: str | None = None,
        *,
        mode: CertificateMode = CertificateMode.DEFAULT,
        active: bool = False,
        auto_registration: bool = False,
        registration: RegistrationConfig | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> CaCertificate:
        """Register a CA; `verification` is the certificate for the registration code, in PEM.

        Raises InvalidRequest, CertificateValidation, RegistrationCodeValidation, ResourceAlreadyExists with the CA's
        ID and ARN, LimitExceeded.
        """
        if mode is CertificateMode.SNI_ONLY and verification:
            raise InvalidRequest("verificationCertificate must be empty where certificateMode is SNI_ONLY.")
        if mode is CertificateMode.DEFAULT and not verification:
            raise InvalidRequest("verificationCertificate must not be empty where certificateMode is DEFAULT.")
        certificate = checks.load(pem)
        checks.check_ca(certificate)
        checks.check_validity(certificate, self._clock.time(), "The CA certificate")
        if verification:
            await self._verify(certificate, checks.load(verification))
        await self._check(registration)
        value = self._new(certificate, mode, active, auto_registration, registration)

        async def attempt() -> None:
            if await self._cas.get(value.id) is not None:
                raise ResourceAlreadyExists(
                    f"The CA certificate is already registered, with ID {value.id}.",
                    resourceId=value.id,
                    resourceArn=self.arn(value.id),
                )
            count, version = await self._alike(value.subject)
            if count >= MOST_OF_A_SUBJECT:
                raise LimitExceeded(
                    f"There are {count} CA certificates with this subject already, the most there may be."
                )
            await self._changes.commit(
                self._cas.putting(value.id, value, expect=0),
                self._subjects.putting(value.subject, _Subject(count + 1), expect=version),
                *self._order.entering(value.id, value.created),
                self._tags.putting(self.arn(value.id), tags or {}),
                change=_change(value),
            )

        await settle(attempt)
        return value

    async def delete(self, id_: str) -> None:
        """Remove a CA that is not ACTIVE; what it issued stays. Raises ResourceNotFound, CertificateState."""

        async def attempt() -> None:
            stored = await self.stored(id_)
            if stored.value.status is CaStatus.ACTIVE:
                raise CertificateState(f"The CA certificate must be INACTIVE before deletion. Id: {stored.key}")
            count, version = await self._alike(stored.value.subject)
            await self._changes.commit(
                self._cas.deleting(stored.key, expect=stored.version),
                self._subjects.putting(stored.value.subject, _Subject(count - 1), expect=version),
                *self._order.leaving(stored.key, stored.value.created),
                self._tags.deleting(self.arn(stored.key)),
                change=_change(stored.value),
            )

        await settle(attempt)

    async def update(
        self,
        id_: str,
        *,
        status: CaStatus | None = None,
        auto_registration: bool | None = None,
        registration: RegistrationConfig | None = None,
        remove_auto_registration: bool = False,
    ) -> None:
        """Change what is given. `remove_auto_registration` ends it and drops its configuration.

        Raises ResourceNotFound, InvalidRequest.
        """
        if remove_auto_registration and (auto_registration or registration is not None):
            raise InvalidRequest("removeAutoRegistration removes what the request sets at the same time.")
        await self._check(registration)

        async def attempt() -> None:
            stored = await self.stored(id_)
            before = stored.value
            value = msgspec.structs.replace(
                before,
                status=before.status if status is None else status,
                auto_registration=before.auto_registration if auto_registration is None else auto_registration,
                registration=before.registration if registration is None else registration,
            )
            if remove_auto_registration:
                value = msgspec.structs.replace(value, auto_registration=False, registration=None)
            if value != before:
                value = msgspec.structs.replace(value, modified=self._clock.time())
                write = self._cas.putting(stored.key, value, expect=stored.version)
                await self._changes.commit(write, change=_change(value))

        await settle(attempt)

    # --- found --------------------------------------------------------------------------------------------------------

    async def describe(self, id_: str) -> CaCertificate:
        """Raises ResourceNotFound, InvalidRequest."""
        return (await self.stored(id_)).value

    async def stored(self, id_: str) -> Stored[CaCertificate]:
        """The CA with the version it is stored at. Raises ResourceNotFound, InvalidRequest."""
        found = await self._cas.get(CERTIFICATE_ID.check(id_).lower())
        if found is None:
            raise ResourceNotFound(f"The CA certificate given in the request does not exist: {id_}")
        return found

    async def find(self, id_: str) -> CaCertificate | None:
        """The CA, where it is (still) registered."""
        found = await self._cas.get(id_)
        return None if found is None else found.value

    async def named(self, name: x509.Name) -> tuple[KnownCa, ...]:
        """The CAs with this subject, registered in whatever state."""
        return await self._named.get(checks.name_digest(name))

    async def page(
        self, paging: Paging, *, ascending: bool = False, template: str | None = None
    ) -> Page[CaCertificate]:
        """In order of creation, newest first unless `ascending`; those that provision by a template, or all."""

        async def read(after: str, limit: int) -> list[Stored[CaCertificate]]:
            found: list[Stored[CaCertificate]] = []
            while len(found) < limit:
                entries = await self._order.read(after, _SCANNED, ascending=ascending)
                cas = await asyncio.gather(*(self._cas.get(entry.value.name) for entry in entries))
                for entry, ca in zip(entries, cas, strict=True):
                    if ca is not None and (template is None or _template(ca.value) == template):
                        found.append(Stored(entry.key, ca.version, ca.value))
                if len(entries) < _SCANNED:
                    break
                after = entries[-1].key
            return found[:limit]

        return await paging.values(f"CA certificates {template} {ascending}", read, default=MARKER_PAGE)

    # --- within -------------------------------------------------------------------------------------------------------

    async def _verify(self, ca: x509.Certificate, verification: x509.Certificate) -> None:
        if not checks.is_issued_by(verification, ca):
            raise CertificateValidation("The verification certificate is not signed by the CA certificate.")
        checks.check_validity(verification, self._clock.time(), "The verification certificate")
        names = verification.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if len(names) != 1 or not await self._codes.matches(str(names[0].value)):
            raise RegistrationCodeValidation(
                "The common name of the verification certificate is not the account's registration code, as "
                "GetRegistrationCode gives it."
            )

    async def _check(self, registration: RegistrationConfig | None) -> None:
        if registration is None:
            return
        if (registration.template_body is None) == (registration.template_name is None):
            raise InvalidRequest("A registrationConfig has either a templateBody, with a roleArn, or a templateName.")
        if registration.template_body is not None and registration.role_arn is None:
            raise InvalidRequest("A registrationConfig with a templateBody needs a roleArn.")
        if self.check_registration is not None:
            await self.check_registration(registration)

    async def _alike(self, subject: str) -> tuple[int, int]:
        """How many CA certificates have the subject, and the version of that number."""
        stored = await self._subjects.get(subject)
        return (0, 0) if stored is None else (stored.value.count, stored.version)

    async def _read_named(self, subject: str) -> tuple[KnownCa, ...]:
        found = await self._cas.find("subject", subject)
        return tuple(KnownCa(one, x509.load_pem_x509_certificate(one.value.pem.encode())) for one in found)

    def _forget(self, change: Change) -> None:
        for subject in change.authorities:
            self._named.forget(subject)

    def _new(
        self,
        certificate: x509.Certificate,
        mode: CertificateMode,
        active: bool,
        auto_registration: bool,
        registration: RegistrationConfig | None,
    ) -> CaCertificate:
        now = self._clock.time()
        return CaCertificate(
            id=checks.id_of(certificate),
            pem=certificate.public_bytes(Encoding.PEM).decode(),
            status=CaStatus.ACTIVE if active else CaStatus.INACTIVE,
            auto_registration=auto_registration,
            mode=mode,
            registration=registration,
            created=now,
            modified=now,
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            generation=str(uuid.uuid4()),
            subject=checks.name_digest(certificate.subject),
            authority=checks.authority_digest(certificate),
        )


def _template(ca: CaCertificate) -> str | None:
    return None if ca.registration is None else ca.registration.template_name


def _change(ca: CaCertificate) -> Change:
    return Change(authorities=frozenset((ca.subject,)))
