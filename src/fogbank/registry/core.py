"""The services of the registry that write what devices are made of: on what is stored, or on a draft of it."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Documents
from fogbank.registry.billing_groups import BillingGroups
from fogbank.registry.billing_members import BillingMembers
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Changes
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.group_members import GroupMembers
from fogbank.registry.policies import Policies
from fogbank.registry.policy_attachments import PolicyAttachments
from fogbank.registry.records import Records
from fogbank.registry.tags import Tags
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.thing_principals import ThingPrincipals
from fogbank.registry.thing_types import ThingTypes
from fogbank.registry.things import Things


class Core:
    """Introduced to one another."""

    def __init__(self, documents: Documents, changes: Changes, arns: Arns, clock: Clock, issuer: DeviceIssuer) -> None:
        """`changes` writes to `documents`."""
        self.arns = arns
        self.changes = changes
        self.records = records = Records(documents)
        self.tags = tags = Tags(documents, arns)
        self.thing_types = ThingTypes(records, changes, arns, clock, tags)
        self.billing_groups = BillingGroups(records, changes, arns, clock, tags)
        self.things = Things(records, changes, arns, types=self.thing_types, billing_groups=self.billing_groups)
        self.billing_members = BillingMembers(records, changes, things=self.things, groups=self.billing_groups)
        self.certificates = Certificates(documents, records, changes, arns, clock, issuer)
        self.policies = Policies(documents, records, changes, arns, clock, tags)
        self.thing_groups = ThingGroups(records, changes, arns, clock, tags)
        self.group_members = GroupMembers(records, changes, clock, things=self.things, groups=self.thing_groups)
        self.policy_attachments = PolicyAttachments(
            records,
            changes,
            arns,
            clock,
            certificates=self.certificates,
            policies=self.policies,
            groups=self.thing_groups,
        )
        self.thing_principals = ThingPrincipals(
            records, changes, arns, clock, certificates=self.certificates, things=self.things
        )
