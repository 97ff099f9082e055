"""The registry's services on a draft: where what a template asks for is made, before any of it is stored."""

from collections.abc import Iterable

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Documents, Put
from fogbank.registry.billing_groups import BillingGroups
from fogbank.registry.billing_members import BillingMembers
from fogbank.registry.ca_certificates import CaCertificates
from fogbank.registry.certificate_registration import CertificateRegistration
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Changes
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.group_members import GroupMembers
from fogbank.registry.policies import Policies
from fogbank.registry.policy_attachments import PolicyAttachments
from fogbank.registry.provisioning.draft import DraftChanges, DraftDocuments
from fogbank.registry.records import Records
from fogbank.registry.tags import Tags
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.thing_principals import ThingPrincipals
from fogbank.registry.thing_types import ThingTypes
from fogbank.registry.things import Things
from fogbank.tasks import Tasks


class Workshop:
    """One draft and its services, for one device. Made in some 30 us, and thrown away with what is not delivered."""

    def __init__(
        self,
        documents: Documents,
        changes: Changes,
        tasks: Tasks,
        arns: Arns,
        clock: Clock,
        issuer: DeviceIssuer,
        cas: CaCertificates,
    ) -> None:
        """`changes` are those of the registry; `cas` too, of which a draft never makes any."""
        draft = DraftDocuments(documents)
        self._changes = changes
        self._drafted = drafted = DraftChanges(draft, tasks)
        self.arns = arns
        self.records = records = Records(draft)
        tags = Tags(draft, arns)
        types = ThingTypes(records, drafted, arns, clock, tags)
        billing_groups = BillingGroups(records, drafted, arns, clock, tags)
        groups = ThingGroups(records, drafted, arns, clock, tags)
        self.things = Things(records, drafted, arns, types=types, billing_groups=billing_groups)
        self.billing_members = BillingMembers(records, drafted, things=self.things, groups=billing_groups)
        self.group_members = GroupMembers(records, drafted, clock, things=self.things, groups=groups)
        self.certificates = Certificates(draft, records, drafted, arns, clock, issuer)
        self.registration = CertificateRegistration(records, clock, certificates=self.certificates, cas=cas)
        self.policies = Policies(draft, records, drafted, arns, clock, tags)
        self.policy_attachments = PolicyAttachments(
            records, drafted, arns, clock, certificates=self.certificates, policies=self.policies, groups=groups
        )
        self.thing_principals = ThingPrincipals(
            records, drafted, arns, clock, certificates=self.certificates, things=self.things
        )

    async def deliver(self, along: Iterable[Put]) -> None:
        """Store all that has been made, in one batch with `along`, and tell of it. Raises StaleVersion."""
        await self._drafted.write(self._changes, along)
