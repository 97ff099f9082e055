"""The registry's services, introduced to one another."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Documents
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Changes
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.effective import EffectivePolicies
from fogbank.registry.group_members import GroupMembers
from fogbank.registry.policies import Policies
from fogbank.registry.policy_attachments import PolicyAttachments
from fogbank.registry.principals import Principals
from fogbank.registry.records import Records
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.thing_principals import ThingPrincipals
from fogbank.registry.thing_types import ThingTypes
from fogbank.registry.things import Things
from fogbank.tasks import Tasks


class Registry:
    """Everything the registry keeps, behind one door; `principals` is the PrincipalStore of edges and broker."""

    def __init__(self, documents: Documents, arns: Arns, clock: Clock, issuer: DeviceIssuer) -> None:
        self.arns = arns
        self._tasks = Tasks("registry")
        records = Records(documents)
        changes = Changes(documents, self._tasks)
        self.thing_types = ThingTypes(records, changes, arns, clock)
        self.things = Things(records, changes, arns, self.thing_types)
        self.certificates = Certificates(documents, records, changes, arns, clock, issuer)
        self.policies = Policies(documents, records, changes, arns, clock)
        self.thing_groups = ThingGroups(records, changes, arns, clock)
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
        self.principals = Principals(records, changes, arns, clock)
        self.effective_policies = EffectivePolicies(
            records,
            self.principals,
            certificates=self.certificates,
            things=self.things,
            groups=self.thing_groups,
            policies=self.policies,
        )

    async def close(self) -> None:
        """Let the writes that are under way end. Call it before storage closes."""
        await self._tasks.drain()
