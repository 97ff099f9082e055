"""Just-in-time registration: a device registers itself by connecting (developer guide, "Register a client certificate
when the client connects to AWS IoT").

An unknown certificate that a registered, ACTIVE and auto-registering CA has really signed is stored as
PENDING_ACTIVATION, an event tells of it, and the connection is refused. What listens (a rule, and behind it a function)
makes of the device what it should be, and the next connection is in. Until then every attempt is told of again.

It happens at CONNECT, or at the first request over HTTPS, and not for a handshake alone, as was measured at AWS.
Clients need not send the CA's certificate along. AWS needs the server name in their handshake to find the account; an
instance is one account, so that here a client without it is as welcome.

Whoever can reach the port can make us look at certificates. So a signature is checked only where the issuer is
registered, what was refused is remembered, and many connections of one certificate are one registration. A certificate
whose signature is written in another way has another ID and is the same nevertheless: a device that was revoked could
make as many of these as it likes, so that they are refused.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from cryptography import x509

from fogbank.arns import Arns
from fogbank.clock import Clock, milliseconds
from fogbank.ports import Deed, EventSink, EventType, Witness, nobody_watches
from fogbank.registry import certificate_checks as checks
from fogbank.registry.ca_certificates import CaCertificates, KnownCa
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Change, Changes, settle
from fogbank.registry.errors import CertificateValidation
from fogbank.registry.records import CaCertificate, CaStatus, Certificate, CertificateStatus, Records
from fogbank.registry.revocation import revoked_key
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

REGISTRATIONS = 15
"""A second, where AWS's rates bind (General Reference, AWS IoT Core quotas). Those beyond may come again."""
REFUSED = 8_192
"""How many refused certificates are remembered."""
PROVISIONING = 64
"""How many are provisioned at once. Those beyond are, at their next attempt."""

_WRITTEN_ANEW = "it is registered under another ID, that of its signature in another encoding"

Provision = Callable[[Certificate, CaCertificate], Awaitable[None]]


class _Refused(Exception):
    """Why a certificate is not registered. `lasting`: as long as no CA changes."""

    def __init__(self, why: str, *, lasting: bool) -> None:
        super().__init__(why)
        self.why, self.lasting = why, lasting


class JustInTime:
    """Registers certificates at the first connection. Port Newcomers."""

    def __init__(
        self,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        tasks: Tasks,
        events: EventSink,
        *,
        certificates: Certificates,
        cas: CaCertificates,
        limited: bool = False,
    ) -> None:
        """`limited`: whether AWS's rate binds."""
        self.provision: Provision | None = None
        """Set by whoever provisions: called for a certificate of a CA with a registration configuration, at its first
        connection and at every further one while it is PENDING_ACTIVATION."""
        self.witness: Witness = nobody_watches
        """Set by whoever keeps the audit log."""
        self._records = records
        self._arns = arns
        self._clock = clock
        self._tasks = tasks
        self._events = events
        self._certificates = certificates
        self._cas = cas
        self._rate = _Rate(REGISTRATIONS, clock) if limited else None
        self._refused: OrderedDict[str, str] = OrderedDict()
        self._registering: dict[str, asyncio.Task[Certificate | _Refused]] = {}
        self._provisioning: set[str] = set()
        self._cas_changed = 0
        changes.invalidate(self._forget)

    async def meet(self, der: bytes) -> str | None:
        """A client has come with a certificate that is not active: register it, or tell again that it waits.

        Why it cannot be registered; None where it is registered, now or before, in whatever state.
        """
        id_ = checks.certificate_id_of(der)
        stored = await self._records.certificates.get(id_)
        if stored is not None:
            if stored.value.status is CertificateStatus.PENDING_ACTIVATION and stored.value.ca is not None:
                await self._tell(stored.value, stored.value.ca)
            return None
        if (why := self._refused.get(id_)) is not None:
            self._refused.move_to_end(id_)
            return why
        changed = self._cas_changed
        try:
            outcome = await self._registered(der)
        except _Refused as refused:
            outcome = refused
        if not isinstance(outcome, _Refused):
            return None if outcome.id == id_ else _WRITTEN_ANEW
        if outcome.lasting and changed == self._cas_changed:
            self._refused[id_] = outcome.why
            if len(self._refused) > REFUSED:
                self._refused.popitem(last=False)
        return outcome.why

    # --- registering --------------------------------------------------------------------------------------------------

    async def _registered(self, der: bytes) -> Certificate | _Refused:
        """Once for all connections of a certificate that are under way. Raises _Refused."""
        try:
            certificate = checks.load_der(der)
        except CertificateValidation as problem:
            raise _Refused(problem.message, lasting=True) from None
        if not await self._cas.named(certificate.issuer):
            raise _Refused("no registered CA has the name of its issuer", lasting=True)
        content = checks.content_digest(certificate)
        task = self._registering.get(content)
        if task is None:
            task = self._registering[content] = self._tasks.start(self._enrol(certificate), "just-in-time")
            task.add_done_callback(lambda _: self._registering.pop(content, None))
        return await asyncio.shield(task)

    async def _enrol(self, certificate: x509.Certificate) -> Certificate | _Refused:
        try:
            value = await settle(lambda: self._attempt(certificate))
        except _Refused as refused:
            return refused
        if value.status is CertificateStatus.PENDING_ACTIVATION and value.ca is not None:
            log.info("certificate %s of the CA %s is registered by its first connection", value.id, value.ca)
            await self._tell(value, value.ca)
        return value

    async def _attempt(self, certificate: x509.Certificate) -> Certificate:
        """Raises StaleVersion where anything that it rests on has changed meanwhile."""
        ca = await self._signer(certificate)
        value = self._certificates.enrolled(certificate, CertificateStatus.PENDING_ACTIVATION, ca.record)
        for one in await self._records.certificates.find("content", value.content, limit=1):
            if one.key != value.id:
                raise _Refused(_WRITTEN_ANEW, lasting=False)
            return one.value  # registered by another way meanwhile
        key = revoked_key(ca.record.authority, certificate.serial_number)
        if await self._records.revoked_serials.get(key) is not None:
            raise _Refused("its CA's revocation list names it", lasting=True)
        if self._rate is not None and not self._rate.take():
            raise _Refused(f"more than {REGISTRATIONS} registrations a second; it may come again", lasting=False)
        entered = await self._certificates.enter(
            value,
            self._records.ca_certificates.expecting(ca.stored.key, ca.stored.version),
            self._records.revoked_serials.expecting(key, 0),
        )
        details = {"certificateId": value.id, "caCertificateId": ca.record.id}
        await self.witness(Deed(name="JustInTimeRegistration", principal=value.id, details=details))
        return entered

    async def _signer(self, certificate: x509.Certificate) -> KnownCa:
        """The CA under which it may be registered now. Raises _Refused."""
        signers = [
            one
            for one in await self._cas.named(certificate.issuer)
            if checks.is_issued_by(certificate, one.certificate)
        ]
        if not signers:
            raise _Refused("the registered CA of its issuer's name has not signed it", lasting=True)
        open_ = [one for one in signers if one.record.status is CaStatus.ACTIVE and one.record.auto_registration]
        if not open_:
            raise _Refused(
                f"its CA {signers[0].record.id} is not ACTIVE, or registers nobody by itself (allowAutoRegistration)",
                lasting=True,
            )
        now = self._clock.time()
        valid = [one for one in open_ if one.record.not_before <= now <= one.record.not_after]
        if not valid:
            raise _Refused(f"its CA {open_[0].record.id} has expired, or is not valid yet", lasting=False)
        try:
            checks.check_device(certificate)
        except CertificateValidation as problem:
            raise _Refused(problem.message, lasting=True) from None
        try:
            checks.check_validity(certificate, now)
        except CertificateValidation as problem:
            raise _Refused(problem.message, lasting=False) from None
        return valid[0]

    # --- telling ------------------------------------------------------------------------------------------------------

    async def _tell(self, value: Certificate, ca_id: str) -> None:
        """That a certificate waits to be activated. Call it once that is durable."""
        document = {
            "certificateId": value.id,
            "caCertificateId": ca_id,
            "timestamp": milliseconds(self._clock),
            "certificateStatus": value.status.value,
            "awsAccountId": self._arns.account,
            "certificateRegistrationTimestamp": str(int(value.created * 1000)),  # UNVERIFIED but that it is a string
        }
        await self._events.emit(EventType.CA_CERTIFICATE, f"$aws/events/certificates/registered/{ca_id}", document)
        await self._begin_provisioning(value, ca_id)

    async def _begin_provisioning(self, value: Certificate, ca_id: str) -> None:
        if self.provision is None or len(self._provisioning) >= PROVISIONING:
            return
        ca = await self._cas.find(ca_id)
        if ca is None or ca.registration is None or ca.status is not CaStatus.ACTIVE:
            return
        if value.id not in self._provisioning:
            self._provisioning.add(value.id)
            self._tasks.start(self._provision(self.provision, value, ca), "provision")

    async def _provision(self, provision: Provision, value: Certificate, ca: CaCertificate) -> None:
        try:
            await provision(value, ca)
        except Exception as error:
            log.warning("certificate %s could not be provisioned: %s", value.id, error)
            log.debug("provisioning of %s failed", value.id, exc_info=True)
        finally:
            self._provisioning.discard(value.id)

    def _forget(self, change: Change) -> None:
        if change.authorities:
            self._cas_changed += 1
            self._refused.clear()


class _Rate:
    """So many in a second, with a second's worth at once after a quiet time."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = self._left = rate
        self._clock = clock
        self._at = clock.monotonic()

    def take(self) -> bool:
        """Whether there is still one."""
        now = self._clock.monotonic()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
