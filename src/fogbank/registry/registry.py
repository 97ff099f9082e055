"""The registry's services, introduced to one another."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Documents, Publisher, RoleRights
from fogbank.registry.ca_certificates import CaCertificates
from fogbank.registry.certificate_expiry import CertificateExpiry, ExpiryOrder
from fogbank.registry.certificate_registration import CertificateRegistration
from fogbank.registry.certificate_transfers import CertificateTransfers
from fogbank.registry.changes import Changes
from fogbank.registry.core import Core
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.effective import EffectivePolicies
from fogbank.registry.event_configurations import EventConfigurations
from fogbank.registry.events import Events
from fogbank.registry.fleet import RegistryFleet
from fogbank.registry.just_in_time import JustInTime
from fogbank.registry.principals import Principals
from fogbank.registry.provisioning.claims import ProvisioningClaims
from fogbank.registry.provisioning.provisioner import Provisioner
from fogbank.registry.provisioning.records import ProvisioningRecords
from fogbank.registry.provisioning.template_versions import TemplateVersions
from fogbank.registry.provisioning.templates import ProvisioningTemplates, Used
from fogbank.registry.records import Records
from fogbank.registry.registration_code import RegistrationCodes
from fogbank.registry.revocation import Revocation
from fogbank.tasks import Tasks


class Registry(Core):
    """Everything the registry keeps, behind one door; `principals` is the PrincipalStore of edges and broker."""

    def __init__(
        self,
        documents: Documents,
        arns: Arns,
        clock: Clock,
        issuer: DeviceIssuer,
        publisher: Publisher,
        *,
        rates_bind: bool = False,
        roles: RoleRights | None = None,
    ) -> None:
        """`publisher` is where events go, with the platform as their origin. `rates_bind`: whether AWS's rates do.
        `roles` knows what those may do in whose name devices are provisioned; None: whatever they are asked to."""
        self._tasks = Tasks("registry")
        self._watching = Tasks("registry-watch")
        changes = Changes(documents, self._tasks)
        super().__init__(documents, changes, arns, clock, issuer)
        records, tags = self.records, self.tags
        self.event_configurations = EventConfigurations(documents, clock)
        self.events = Events(self.event_configurations, publisher, arns, clock)
        changes.announce(self.events.announce)
        self.registration_codes = RegistrationCodes(records)
        self.ca_certificates = cas = CaCertificates(
            documents, records, changes, arns, clock, self.registration_codes, tags
        )
        self.certificate_registration = CertificateRegistration(records, clock, certificates=self.certificates, cas=cas)
        self.certificate_transfers = CertificateTransfers(
            documents, records, changes, arns, clock, certificates=self.certificates
        )
        self.revocation = Revocation(documents, records, changes, clock, cas=cas)
        self.just_in_time = JustInTime(
            records,
            changes,
            arns,
            clock,
            self._watching,
            self.events,
            certificates=self.certificates,
            cas=cas,
            limited=rates_bind,
        )
        self._expiry = CertificateExpiry(ExpiryOrder(documents), changes, clock)
        self.principals = Principals(records, changes, arns, clock)
        self.fleet = RegistryFleet(records, changes)
        provisioning = ProvisioningRecords(documents)
        self.provisioning_templates = ProvisioningTemplates(provisioning, arns, clock, tags, _named_by_cas(records))
        self.template_versions = TemplateVersions(self.provisioning_templates, clock)
        self.provisioning_claims = ProvisioningClaims(
            provisioning, self.certificates, self.provisioning_templates, arns, clock
        )
        self.provisioner = Provisioner(documents, changes, self._tasks, arns, clock, issuer, cas, roles)
        self.principals.claim_rights = self.provisioning_claims.rights
        self.effective_policies = EffectivePolicies(
            records,
            self.principals,
            certificates=self.certificates,
            things=self.things,
            groups=self.thing_groups,
            policies=self.policies,
        )

    def start(self) -> None:
        """Begin to watch the clock: certificates expire."""
        self._watching.start(self._expiry.watch(), "expiry")

    async def close(self) -> None:
        """Let the writes that are under way end. Call it before storage closes."""
        await self._watching.close()
        await self._tasks.drain()


def _named_by_cas(records: Records) -> Used:
    """Whether a CA's registration configuration names the template."""

    async def named(template: str) -> bool:
        return bool(await records.ca_certificates.find("template", template, limit=1))

    return named
