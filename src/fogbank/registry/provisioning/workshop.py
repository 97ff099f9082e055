"""The registry's services on a draft: where what a template asks for is made, before any of it is stored."""

from collections.abc import Iterable

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.ports import Documents, Put
from fogbank.registry.ca_certificates import CaCertificates
from fogbank.registry.certificate_registration import CertificateRegistration
from fogbank.registry.changes import Changes
from fogbank.registry.core import Core
from fogbank.registry.device_issuer import DeviceIssuer
from fogbank.registry.provisioning.draft import DraftChanges, DraftDocuments
from fogbank.tasks import Tasks


class Workshop(Core):
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
        self._stored = changes
        self._drafted = drafted = DraftChanges(draft, tasks)
        super().__init__(draft, drafted, arns, clock, issuer)
        self.registration = CertificateRegistration(self.records, clock, certificates=self.certificates, cas=cas)

    async def deliver(self, along: Iterable[Put]) -> None:
        """Store all that has been made, in one batch with `along`, and tell of it. Raises StaleVersion."""
        await self._drafted.write(self._stored, along)
