"""Which policies a certificate holds (API reference, AttachPolicy and its kin).

An attachment is written together with the certificate and the policy as they were read: none of them can vanish, and
no eleventh policy can slip in, between the check and the write.
"""

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.constraints import POLICY_NAME
from fogbank.registry.paging import MARKER_PAGE, Page, Paging
from fogbank.registry.policies import Policies
from fogbank.registry.records import PolicyAttachment, Records, attachment_key, attachments_prefix
from fogbank.registry.targets import certificate_of
from fogbank.storage.collection import Stored

POLICIES_PER_TARGET = 10


class PolicyAttachments:
    """Attaches policies to certificates. Targets are given and listed as ARNs."""

    def __init__(
        self,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        *,
        certificates: Certificates,
        policies: Policies,
    ) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._certificates = certificates
        self._policies = policies

    async def attach(self, policy: str, target: str) -> None:
        """Let `target` hold `policy`; attaching once more changes nothing.

        Raises ResourceNotFound, InvalidRequest, LimitExceeded.
        """
        id_ = certificate_of(target, self._arns)

        async def attempt() -> None:
            holding = await self._policies.stored(policy)
            certificate = await self._certificates.stored(id_)
            there = await self._records.policy_attachments.scan(prefix=attachments_prefix(id_))
            if any(one.value.policy == policy for one in there):
                return
            if len(there) >= POLICIES_PER_TARGET:
                raise LimitExceeded(f"The target has the maximum number of policies ({POLICIES_PER_TARGET}): {target}")
            value = PolicyAttachment(certificate=id_, policy=policy, created=self._clock.time())
            await self._changes.commit(
                held(self._records.policies, holding),
                held(self._records.certificates, certificate),
                self._records.policy_attachments.putting(value.key, value, expect=0),
                change=_change(id_),
            )

        await settle(attempt)

    async def detach(self, policy: str, target: str) -> None:
        """Take `policy` from `target`. What is not attached, or no policy at all, is no error; an unknown target is.

        Raises InvalidRequest.
        """
        POLICY_NAME.check(policy)
        id_ = certificate_of(target, self._arns)
        try:
            await self._certificates.stored(id_)
        except ResourceNotFound:
            raise InvalidRequest(f"Invalid Target: there is no certificate {target}") from None
        key = attachment_key(id_, policy)
        if await self._records.policy_attachments.get(key) is not None:
            await self._changes.commit(self._records.policy_attachments.deleting(key), change=_change(id_))

    async def of_target(self, target: str, paging: Paging) -> Page[str]:
        """Names of the policies that `target` holds. Raises ResourceNotFound, InvalidRequest."""
        id_ = certificate_of(target, self._arns)
        await self._certificates.stored(id_)

        async def read(after: str, limit: int) -> list[Stored[PolicyAttachment]]:
            return await self._records.policy_attachments.scan(prefix=attachments_prefix(id_), after=after, limit=limit)

        page = await paging.page(f"policies of {id_}", read, default=MARKER_PAGE)
        return Page([one.value.policy for one in page.items], page.next)

    async def targets(self, policy: str, paging: Paging) -> Page[str]:
        """ARNs of the certificates that hold `policy`. Raises ResourceNotFound, InvalidRequest."""
        await self._policies.stored(policy)

        async def read(after: str, limit: int) -> list[Stored[PolicyAttachment]]:
            return await self._records.policy_attachments.find("policy", policy, after=after, limit=limit)

        page = await paging.page(f"targets of {policy}", read, default=MARKER_PAGE)
        return Page([self._certificates.arn(one.value.certificate) for one in page.items], page.next)


def _change(certificate: str) -> Change:
    ids = frozenset((certificate,))
    return Change(certificates=ids, identities=ids)
