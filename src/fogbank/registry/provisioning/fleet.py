"""Fleet provisioning: a device that holds a claim gets a certificate of its own, and is made what a template says
(developer guide, provision-wo-cert, fleet-provision-api).

    create, or create from a request     a certificate, PENDING_ACTIVATION, and its ownership token: one batch
    provision                            token, template, hook, and then thing, policies, ACTIVE, token used: one batch

So a server that is killed at any instant leaves either a certificate that is good for nothing, and goes when its token
does, or a device that is all it was to be. A device that lost the answer asks again and, for the rest of the hour, is
told the same again; who asks for anything else with a token that was used is refused.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping

import msgspec

from fogbank.errors import Forbidden, InvalidRequest, ResourceNotFound, ServiceError, ServiceUnavailable
from fogbank.message import Origin
from fogbank.ports import Deed, Put, Witness, nobody_watches
from fogbank.registry.certificates import Certificates
from fogbank.registry.errors import ConflictingResourceUpdate, ResourceConflicts
from fogbank.registry.provisioning.errors import (
    AccessDenied,
    Conflicting,
    InternalError,
    InvalidCsr,
    InvalidOwnershipToken,
    InvalidParameters,
    Rejection,
    TemplateNotFound,
    Unavailable,
)
from fogbank.registry.provisioning.hooks import HookEvent, Hooks
from fogbank.registry.provisioning.ownership import OwnershipTokens, new_secret, token_of
from fogbank.registry.provisioning.provisioner import Provisioned, Provisioner
from fogbank.registry.provisioning.records import Outcome, Ownership, ProvisioningTemplate, TemplateType
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.provisioning.templates import ProvisioningTemplates
from fogbank.registry.records import Certificate, CertificateStatus
from fogbank.storage.collection import Stored
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

KEYS_AT_ONCE = 4
"""Key pairs that are made at a time: each keeps a thread of those that all share busy for some 50 ms."""

_BUILT_IN = "AWS::"


class NewCertificate(msgspec.Struct, frozen=True):
    """What a device is given. The private key stays out of `repr` and so out of logs."""

    certificate: Certificate
    token: str
    private_key: str | None = None
    """None where the device made its keys itself."""

    def __repr__(self) -> str:
        return f"NewCertificate(certificate={self.certificate.id}, token=..., private_key=...)"


class _Wish(msgspec.Struct, frozen=True):
    """What a device wants to become."""

    asker: Origin
    template: str
    token: str
    parameters: Mapping[str, str]
    digest: str
    """Of template and parameters: what makes two wishes with one token the same."""


class _UnderWay(msgspec.Struct, frozen=True):
    """A device that is being provisioned, and how that ends."""

    request: str
    done: "asyncio.Task[Outcome | Rejection]"


class FleetProvisioning:
    """The three things that a device can ask for. Each raises a Rejection, or another error that is ours."""

    def __init__(
        self,
        certificates: Certificates,
        templates: ProvisioningTemplates,
        tokens: OwnershipTokens,
        provisioner: Provisioner,
        hooks: Hooks,
        witness: Witness = nobody_watches,
    ) -> None:
        self._witness = witness
        self._certificates = certificates
        self._templates = templates
        self._tokens = tokens
        self._provisioner = provisioner
        self._hooks = hooks
        self._tasks = Tasks("fleet-provisioning")
        self._under_way: dict[str, _UnderWay] = {}
        self._making_keys = asyncio.Semaphore(KEYS_AT_ONCE)

    async def close(self) -> None:
        """End what is under way; devices ask again."""
        await self._tasks.close()

    def busy(self, certificate: str) -> bool:
        """Whether a device with this certificate is being provisioned at this moment."""
        return certificate in self._under_way

    async def create_keys_and_certificate(self, asker: Origin) -> NewCertificate:
        """A fresh key pair and its certificate."""
        secret = new_secret()
        async with self._making_keys:
            certificate, keys = await self._certificates.create_with_keys(
                pending=True, along=lambda id_: self._tokens.issuing(id_, secret, asker.principal)
            )
        await self._note("CreateKeysAndCertificate", asker, {"certificateId": certificate.id})
        return NewCertificate(certificate, token_of(certificate.id, secret), keys.private_key)

    async def create_certificate_from_csr(self, asker: Origin, request: str) -> NewCertificate:
        """A certificate for a key that the device keeps to itself. Raises InvalidCsr."""
        secret = new_secret()
        try:
            certificate = await self._certificates.create_from_request(
                request, pending=True, along=lambda id_: self._tokens.issuing(id_, secret, asker.principal)
            )
        except InvalidRequest as error:
            raise InvalidCsr(error.message) from None
        await self._note("CreateCertificateFromCsr", asker, {"certificateId": certificate.id})
        return NewCertificate(certificate, token_of(certificate.id, secret))

    async def register_thing(self, asker: Origin, name: str, token: str, parameters: Mapping[str, str]) -> Outcome:
        """Make a device what the template `name` says. Who asks the same meanwhile gets the same outcome."""
        if reserved := [one for one in parameters if one.startswith(_BUILT_IN)]:
            raise InvalidParameters(f"Parameters cannot begin with {_BUILT_IN}: {reserved[0][:128]}")
        wish = _Wish(asker, name, token, parameters, _digest(name, parameters))
        ownership, outcome = await self._open(wish)
        if outcome is not None:
            return outcome
        under_way = self._under_way.get(ownership.key)
        if under_way is None:
            under_way = self._start(ownership.key, wish)
        elif under_way.request != wish.digest:
            raise Conflicting("This certificate is being provisioned in another way at this moment.")
        result = await asyncio.shield(under_way.done)
        if isinstance(result, Rejection):
            raise result
        return result

    async def _open(self, wish: _Wish) -> tuple[Stored[Ownership], Outcome | None]:
        """What the token stands for, and what has become of it already."""
        ownership = await self._tokens.open(wish.token, wish.asker.principal)
        outcome = ownership.value.outcome
        if outcome is not None and outcome.request != wish.digest:
            raise InvalidOwnershipToken("Certificate ownership token has been used.")
        return ownership, outcome

    def _start(self, certificate: str, wish: _Wish) -> _UnderWay:
        """In a task of its own, which several may wait for and none takes along when it goes."""
        done = self._tasks.start(self._granted(wish), f"provision {certificate}")
        done.add_done_callback(lambda _: self._under_way.pop(certificate, None))
        under_way = self._under_way[certificate] = _UnderWay(wish.digest, done)
        return under_way

    async def _granted(self, wish: _Wish) -> Outcome | Rejection:
        """A rejection is a result here, so that it reaches each who waits."""
        try:
            ownership, outcome = await self._open(wish)  # as it is now that nobody else can use it
            return outcome or await self._provision(ownership, wish)
        except Rejection as rejection:
            return rejection
        except ServiceError as error:
            return _rejection(error)

    async def _provision(self, ownership: Stored[Ownership], wish: _Wish) -> Outcome:
        template = await self._template(wish.template)
        certificate = await self._waiting(ownership.key)
        parameters = await self._allowed(template, certificate, wish)
        body = Template.parse(template.body, TemplateKind.FLEET_PROVISIONING)
        outcomes: list[Outcome] = []
        arns: dict[str, str] = {}

        def using(provisioned: Provisioned) -> Iterable[Put]:
            outcome = Outcome(
                request=wish.digest, thing=provisioned.thing_name, configuration=provisioned.device_configuration
            )
            outcomes.append(outcome)
            arns.update(provisioned.resource_arns)
            return (self._tokens.using(ownership, outcome),)

        await self._provisioner.provision(
            body,
            parameters,
            certificate_id=certificate.id,
            role_arn=template.role_arn,
            source=self._templates.arn(template.name),
            along=using,
        )
        await self._note("RegisterThing", wish.asker, {"provisioningTemplate": template.name, **arns})
        return outcomes[-1]

    async def _note(self, name: str, asker: Origin, details: Mapping[str, str]) -> None:
        await self._witness(
            Deed(
                name=name,
                principal=asker.principal,
                source_ip=asker.source_ip,
                details={"clientId": asker.client_id or "", **details},
            )
        )

    async def _template(self, name: str) -> ProvisioningTemplate:
        try:
            template = await self._templates.describe(name)
        except (ResourceNotFound, InvalidRequest):
            raise TemplateNotFound(f"There is no provisioning template {name[:64]!r}.") from None
        if template.type is not TemplateType.FLEET_PROVISIONING:
            raise TemplateNotFound(f"Provisioning template {name} is not one for fleet provisioning.")
        if not template.enabled:
            raise AccessDenied(f"Provisioning template {name} is not enabled.")
        return template

    async def _waiting(self, id_: str) -> Certificate:
        """The certificate, where nobody but its device has done anything with it yet."""
        try:
            certificate = await self._certificates.describe(id_)
        except ResourceNotFound:
            raise InvalidOwnershipToken("The certificate of this token has been deleted.") from None
        if certificate.status is not CertificateStatus.PENDING_ACTIVATION:
            raise InvalidOwnershipToken(f"The certificate of this token is {certificate.status.value}.")
        return certificate

    async def _allowed(
        self, template: ProvisioningTemplate, certificate: Certificate, wish: _Wish
    ) -> Mapping[str, str]:
        """The parameters, as the template's hook wants them. Raises AccessDenied."""
        if template.hook is None:
            return wish.parameters
        event = HookEvent(
            claim_certificate_id=wish.asker.principal,
            certificate_id=certificate.id,
            certificate_pem=certificate.pem,
            template_arn=self._templates.arn(template.name),
            client_id=wish.asker.client_id,
            parameters=wish.parameters,
        )
        return await self._hooks.ask(template.hook, event)


def _rejection(error: ServiceError) -> Rejection:
    """What an error of the registry is to a device. Faults of ours, and what roles may, are not its business."""
    match error:
        case Forbidden():
            return AccessDenied("The role of the template does not allow it.", error.message)
        case ResourceConflicts() | ConflictingResourceUpdate():
            return Conflicting(error.message)
        case ServiceUnavailable():
            return Unavailable(error.message)
        case _ if error.status < 500:
            return InvalidParameters(error.message)
    log.error("a device cannot be provisioned", exc_info=error)
    return InternalError("Internal failure; try again.")


def _digest(template: str, parameters: Mapping[str, str]) -> str:
    """Of a request to be provisioned, whatever the order of its parameters."""
    return hashlib.sha256(msgspec.json.encode([template, sorted(parameters.items())])).hexdigest()
