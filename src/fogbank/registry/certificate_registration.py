"""Customers' own certificates: RegisterCertificate and RegisterCertificateWithoutCA (developer guide,
"Register a client certificate").

A certificate is registered under the CA that signed it, which must be registered and ACTIVE at that moment; or without
any, when nothing vouches for it but whoever registers it.
"""

from cryptography import x509

from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ResourceAlreadyExists
from fogbank.ports import Expect
from fogbank.registry import certificate_checks as checks
from fogbank.registry.ca_certificates import CaCertificates, KnownCa
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import settle
from fogbank.registry.errors import CertificateConflict, CertificateState, CertificateValidation
from fogbank.registry.records import CaStatus, Certificate, CertificateStatus, Records
from fogbank.registry.revocation import revoked_key

_REGISTERED_AS = (CertificateStatus.ACTIVE, CertificateStatus.INACTIVE, CertificateStatus.REVOKED)


class CertificateRegistration:
    """Registers certificates that were issued elsewhere."""

    def __init__(self, records: Records, clock: Clock, *, certificates: Certificates, cas: CaCertificates) -> None:
        self._records = records
        self._clock = clock
        self._certificates = certificates
        self._cas = cas

    async def register(
        self, pem: str, *, ca_pem: str | None = None, status: CertificateStatus = CertificateStatus.INACTIVE
    ) -> Certificate:
        """Register a certificate that a registered CA has issued; `ca_pem` says which, where several have its name.

        Raises InvalidRequest, CertificateValidation, CertificateConflict, CertificateState where the CA is not ACTIVE,
        ResourceAlreadyExists with the certificate's ID and ARN.
        """
        certificate = self._acceptable(pem, status)
        checks.check_device(certificate)

        async def attempt() -> Certificate:
            await self._check_new(certificate)
            ca = await self._signer(certificate, ca_pem)
            if ca.record.status is not CaStatus.ACTIVE:
                raise CertificateState(f"The CA certificate {ca.record.id} is not ACTIVE.")
            checks.check_validity(ca.certificate, self._clock.time(), "The CA certificate")
            value = self._certificates.enrolled(certificate, status, ca.record)
            return await self._certificates.enter(value, *await self._resting_on(certificate, status, ca))

        return await settle(attempt)

    async def register_without_ca(
        self, pem: str, *, status: CertificateStatus = CertificateStatus.INACTIVE
    ) -> Certificate:
        """Register a certificate whoever issued it. Raises as `register`, but for what concerns the CA.

        One that signed itself may call itself a CA's: `openssl req -x509` makes them so.
        """
        certificate = self._acceptable(pem, status)

        async def attempt() -> Certificate:
            await self._check_new(certificate)
            return await self._certificates.enter(self._certificates.enrolled(certificate, status, None))

        return await settle(attempt)

    def _acceptable(self, pem: str, status: CertificateStatus) -> x509.Certificate:
        if status not in _REGISTERED_AS:
            raise InvalidRequest(f"A certificate is registered as ACTIVE, INACTIVE or REVOKED, not {status.value}.")
        certificate = checks.load(pem)
        checks.check_validity(certificate, self._clock.time())
        return certificate

    async def _signer(self, certificate: x509.Certificate, ca_pem: str | None) -> KnownCa:
        """The registered CA that issued it."""
        named = await self._cas.named(certificate.issuer)
        if ca_pem is not None:
            id_ = checks.id_of(checks.load(ca_pem))
            named = tuple(one for one in named if one.record.id == id_)
            if not named:
                raise CertificateValidation(
                    f"The CA certificate {id_} is not registered, or its subject is not the certificate's issuer."
                )
        if not named:
            raise CertificateValidation(
                "No registered CA certificate has the certificate's issuer as its subject: register the CA first, or "
                "the certificate by RegisterCertificateWithoutCA."
            )
        if len(named) > 1:
            raise CertificateConflict(
                f"{len(named)} registered CA certificates have the certificate's issuer as their subject: say by "
                "caCertificatePem which of them has signed it."
            )
        if not checks.is_issued_by(certificate, named[0].certificate):
            raise CertificateValidation(f"The CA certificate {named[0].record.id} has not signed the certificate.")
        return named[0]

    async def _check_new(self, certificate: x509.Certificate) -> None:
        """Raises ResourceAlreadyExists, also where it is registered with its signature written in another way."""
        id_ = checks.id_of(certificate)
        if await self._records.certificates.get(id_) is None:
            alike = await self._records.certificates.find("content", checks.content_digest(certificate), limit=1)
            if not alike:
                return
            id_ = alike[0].key
        raise ResourceAlreadyExists(
            "The certificate is already provisioned or registered",
            resourceId=id_,
            resourceArn=self._certificates.arn(id_),
        )

    async def _resting_on(self, certificate: x509.Certificate, status: CertificateStatus, ca: KnownCa) -> list[Expect]:
        """What must not change until it is registered: the CA's state, and that it has not revoked the certificate."""
        key = revoked_key(ca.record.authority, certificate.serial_number)
        serials = self._records.revoked_serials
        unchanged = self._records.ca_certificates.expecting(ca.stored.key, ca.stored.version)
        if status is CertificateStatus.REVOKED:
            return [unchanged]
        if await serials.get(key) is not None:
            raise CertificateValidation(
                "The CA's revocation list names the certificate: it can be registered as REVOKED."
            )
        return [unchanged, serials.expecting(key, 0)]
