"""IAM's parts, introduced to one another."""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.changes import Changes
from fogbank.identity.iam.execution_roles import ExecutionRoles
from fogbank.identity.iam.policies import Policies
from fogbank.identity.iam.principals import Household
from fogbank.identity.iam.records import Records
from fogbank.identity.iam.role_rights import RoleRights
from fogbank.identity.iam.roles import Roles
from fogbank.identity.iam.seal import Seal
from fogbank.identity.iam.signers import IamSigners
from fogbank.identity.iam.sts import Sts
from fogbank.identity.iam.users import Users
from fogbank.ports import Documents, PrincipalListener


class Iam:
    """`users`, `roles`, `policies` and `sts` are for the API, `signers` for whoever takes signed requests.

    `role_rights` is for those who act in the name of roles, `execution_roles` for functions: they are given keys.
    """

    def __init__(
        self, documents: Documents, keys: AccessKeys, arns: Arns, clock: Clock, *, check_roles: bool = False
    ) -> None:
        """`check_roles`: what rules do in the name of roles is checked even while there is no role and no user."""
        records = Records(documents)
        self._changes = changes = Changes(documents)
        self._seal = seal = Seal(records)
        self.policies = policies = Policies(records, changes, arns, clock)
        self.users = users = Users(records, policies, keys, changes, arns, clock)
        self.roles = roles = Roles(records, policies, changes, arns, clock)
        self._household = household = Household(users, roles, policies, keys, changes, arns, clock)
        self.signers = IamSigners(household, keys, seal, arns, clock)
        self.sts = Sts(roles, policies, keys, seal, arns, clock)
        self.role_rights = RoleRights(roles, users, changes, arns, clock, strict=check_roles)
        self.execution_roles = ExecutionRoles(self.sts, self.role_rights, keys, clock)

    async def load(self) -> None:
        """What must be known before the first request; after `AccessKeys.ensure_first`."""
        await self._seal.load()

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._changes.close()

    def watch(self, listener: PrincipalListener) -> None:
        """Await `listener` with the identities whose rights or status change, before the call is answered."""
        self._household.watch(listener)
