"""Just-in-time provisioning: a device becomes what its CA's template says by connecting (developer guide,
jit-provisioning).

The certificate is registered already, as PENDING_ACTIVATION (`just_in_time`), and the connection refused; here it is
provisioned, with what its subject says as parameters, and the device's next connection is in. All of it is one batch: a
server that is killed before leaves a certificate which waits, and the device's next attempt does this again. What fails
is told to the log and to the trace, and the certificate goes on waiting, for a better template perhaps.
"""

import logging

from cryptography import x509
from cryptography.x509.oid import NameOID

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError, InvalidRequest
from fogbank.ports import Deed, Witness, nobody_watches
from fogbank.registry.provisioning.errors import AccessDenied
from fogbank.registry.provisioning.hooks import HookEvent, Hooks
from fogbank.registry.provisioning.provisioner import Provisioned, Provisioner
from fogbank.registry.provisioning.records import ProvisioningTemplate, TemplateType
from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.provisioning.templates import ProvisioningTemplates
from fogbank.registry.records import CaCertificate, Certificate, RegistrationConfig
from fogbank.trace import Trace

log = logging.getLogger(__name__)

_SUBJECT = {
    NameOID.COUNTRY_NAME: "Country",
    NameOID.ORGANIZATION_NAME: "Organization",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OrganizationalUnit",
    NameOID.DN_QUALIFIER: "DistinguishedNameQualifier",
    NameOID.STATE_OR_PROVINCE_NAME: "StateName",
    NameOID.COMMON_NAME: "CommonName",
    NameOID.SERIAL_NUMBER: "SerialNumber",
}


class JustInTimeProvisioning:
    """Provisions the devices of CAs that have a registration configuration."""

    def __init__(
        self,
        templates: ProvisioningTemplates,
        provisioner: Provisioner,
        hooks: Hooks,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        witness: Witness = nobody_watches,
    ) -> None:
        self._witness = witness
        self._arns = arns
        self._templates = templates
        self._provisioner = provisioner
        self._hooks = hooks
        self._clock = clock
        self._trace = trace

    async def check(self, registration: RegistrationConfig) -> None:
        """Raise InvalidRequest, or ResourceNotFound, where no device could be provisioned by this configuration."""
        if registration.template_body is not None:
            Template.parse(registration.template_body, TemplateKind.JITP)
        if registration.template_name is not None:
            template = await self._templates.describe(registration.template_name)
            if template.type is not TemplateType.JITP:
                raise InvalidRequest(f"Provisioning template {template.name} is not of type JITP")

    async def provision(self, certificate: Certificate, ca: CaCertificate) -> None:
        """Make a device of a certificate that waits. Never raises for what is the device's or the template's fault."""
        began = self._clock.monotonic()
        assert ca.registration is not None, "only CAs that have one are provisioned by"
        try:
            provisioned = await self._provision(certificate, ca, ca.registration)
        except FogbankError as error:
            log.warning("certificate %s of the CA %s is not provisioned, and waits: %s", certificate.id, ca.id, error)
            self._tell("failure", certificate, str(error), began)
        else:
            log.info("certificate %s is provisioned as thing %s", certificate.id, provisioned.thing_name)
            details = {"caCertificateId": ca.id, **provisioned.resource_arns}
            await self._witness(Deed(name="JustInTimeProvisioning", principal=certificate.id, details=details))
            self._tell("success", certificate, "", began, provisioned.thing_name)

    async def _provision(
        self, certificate: Certificate, ca: CaCertificate, registration: RegistrationConfig
    ) -> Provisioned:
        parameters = subject_parameters(certificate)
        body, role_arn = registration.template_body, registration.role_arn
        source = self._arns.iot("cacert", ca.id)
        if registration.template_name is not None:
            template = await self._templates.describe(registration.template_name)
            if not template.enabled:
                raise AccessDenied(f"provisioning template {template.name} is not enabled")
            parameters = await self._allowed(template, certificate, parameters)
            body, role_arn, source = template.body, template.role_arn, self._templates.arn(template.name)
        assert body is not None, "a configuration has a body or the name of a template"
        return await self._provisioner.provision(
            Template.parse(body, TemplateKind.JITP),
            parameters,
            certificate_id=certificate.id,
            role_arn=role_arn,
            source=source,
        )

    async def _allowed(
        self, template: ProvisioningTemplate, certificate: Certificate, parameters: dict[str, str]
    ) -> dict[str, str]:
        """The parameters, as the template's hook wants them. Raises AccessDenied.

        The guide describes hooks for devices with claims; that they are asked here too, without a claim, is UNVERIFIED.
        """
        if template.hook is None:
            return parameters
        event = HookEvent(
            certificate_id=certificate.id,
            certificate_pem=certificate.pem,
            template_arn=self._templates.arn(template.name),
            parameters=parameters,
        )
        return await self._hooks.ask(template.hook, event)

    def _tell(self, status: str, certificate: Certificate, reason: str, began: float, thing: str | None = None) -> None:
        if self._trace.active:
            self._trace.emit(
                "provisioning",
                status,
                reason=reason,
                name="just in time",
                principal=certificate.id,
                duration_ms=(self._clock.monotonic() - began) * 1000,
                detail=None if thing is None else {"thingName": thing},
            )


def subject_parameters(certificate: Certificate) -> dict[str, str]:
    """What templates can take from the subject. Of several values of one kind the first counts. UNVERIFIED."""
    found: dict[str, str] = {}
    for attribute in x509.load_pem_x509_certificate(certificate.pem.encode()).subject:
        known, value = _SUBJECT.get(attribute.oid), attribute.value
        if known is not None and isinstance(value, str):
            found.setdefault(f"AWS::IoT::Certificate::{known}", value)
    return found
