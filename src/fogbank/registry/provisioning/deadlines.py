"""What was not used in its time goes: claims after five minutes, certificates that no device was made of after an hour.

Deadlines are on disk, so that a server which was down sees to them when it is back; each step of a removal may be
repeated after a kill. A certificate that somebody has done something with in the meantime (provisioned, activated,
revoked it) stays: only its token goes.
"""

import logging
from collections.abc import Callable

from fogbank.clock import Clock
from fogbank.errors import FogbankError, ResourceNotFound
from fogbank.registry.certificates import Certificates
from fogbank.registry.provisioning.records import Deadline, ProvisioningRecords, deadline_prefix
from fogbank.registry.records import CertificateStatus
from fogbank.registry.thing_principals import ThingPrincipals
from fogbank.storage.paging import Paging
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

INTERVAL = 30.0
"""Seconds between two looks. A claim has no rights from the moment it ends; only its record is there a bit longer."""
BATCH = 256


class Deadlines:
    """Removes what is due."""

    def __init__(
        self,
        records: ProvisioningRecords,
        certificates: Certificates,
        things: ThingPrincipals,
        clock: Clock,
        *,
        busy: Callable[[str], bool],
    ) -> None:
        """`busy` says whether a certificate is being provisioned at this moment."""
        self._records = records
        self._certificates = certificates
        self._things = things
        self._clock = clock
        self._busy = busy
        self._tasks = Tasks("provisioning-deadlines")

    def start(self) -> None:
        """Look from now on, at once for the first time."""
        self._tasks.start(self._run(), "sweep")

    async def close(self) -> None:
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            await self.sweep()
            await self._clock.sleep(INTERVAL)

    async def sweep(self) -> None:
        """Remove all that is due now, but for what is being provisioned."""
        after, end = "", deadline_prefix(self._clock.time())
        while due := [one for one in await self._records.deadlines.scan(after=after, limit=BATCH) if one.key < end]:
            for one in due:
                if not self._busy(one.value.certificate):
                    await self._try(one.value)
            after = due[-1].key

    async def _try(self, deadline: Deadline) -> None:
        try:
            await self._remove(deadline)
        except FogbankError as error:  # the others are still to go
            log.warning("cannot remove certificate %s, whose time is over: %s", deadline.certificate, error)

    async def _remove(self, deadline: Deadline) -> None:
        id_ = deadline.certificate
        is_claim = await self._records.claims.get(id_) is not None
        try:
            status = (await self._certificates.describe(id_)).status
            if is_claim or status is CertificateStatus.PENDING_ACTIVATION:
                await self._remove_certificate(id_, status)
        except ResourceNotFound:
            pass  # somebody else has, or a kill kept us from the rest
        await self._records.commit(
            self._records.claims.deleting(id_),
            self._records.ownerships.deleting(id_),
            self._records.deadlines.deleting(deadline.key),
        )

    async def _remove_certificate(self, id_: str, status: CertificateStatus) -> None:
        """With what was attached to it; a thing that was made for it is left to its owner."""
        if status is CertificateStatus.ACTIVE:
            await self._certificates.update(id_, CertificateStatus.INACTIVE)
        arn = self._certificates.arn(id_)
        while attached := (await self._things.of_principal(arn, Paging())).items:
            for one in attached:
                await self._things.detach(one.thing, arn)
        await self._certificates.delete(id_, force=True)
