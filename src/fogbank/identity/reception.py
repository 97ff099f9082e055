"""All that finds out who a client is, introduced to one another."""

from collections.abc import Iterable

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.identity.access_key_principals import FindKey
from fogbank.identity.authorizer_answer import SHORTEST
from fogbank.identity.authorizers import Authorizers
from fogbank.identity.desk import FrontDesk
from fogbank.identity.domain_configurations import DomainConfigurations
from fogbank.identity.judge import Judge
from fogbank.identity.records import Records
from fogbank.identity.role_aliases import RoleAliases
from fogbank.identity.signed_requests import SignedRequests
from fogbank.identity.signer import RootSigners, Signers
from fogbank.ports import Documents, Invoker, Newcomers, PrincipalStore, ResourceTags
from fogbank.trace import Trace


class Reception:
    """`desk` is for the listeners and the gateway, the others are for the API."""

    def __init__(
        self,
        documents: Documents,
        certificates: PrincipalStore,
        invoker: Invoker,
        find_key: FindKey,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        *,
        tags: ResourceTags,
        served: Iterable[str] = ("localhost",),
        limited: bool = True,
        signers: Signers | None = None,
        newcomers: Newcomers | None = None,
    ) -> None:
        """`certificates` knows the rights of client certificates, `find_key` the root's active access keys. `served`
        are the names in the server's certificate. `limited`: whether AWS's quotas bind, and its bounds on how often an
        authorizer may be asked. `signers` knows all who sign; without it there is the root alone. `newcomers`
        registers certificates that nobody has registered."""
        records = Records(documents, tags)
        self.authorizers = Authorizers(records, arns, clock, limited=limited)
        self.role_aliases = RoleAliases(records, arns, clock)
        self.domains = DomainConfigurations(records, arns, clock, served=served, limited=limited)
        self.judge = Judge(invoker, arns, clock, trace, shortest=SHORTEST if limited else 1)
        signed = SignedRequests(arns, clock, signers or RootSigners(find_key, arns))
        self.desk = FrontDesk(certificates, signed, self.authorizers, self.domains, self.judge, clock, newcomers)

    async def close(self) -> None:
        """End the questions that are under way."""
        await self.desk.close()
