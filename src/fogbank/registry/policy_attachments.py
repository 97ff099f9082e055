"""Which policies certificates, thing groups and Cognito identities hold (API reference, AttachPolicy and its kin).

An attachment is written together with its holder and policy as they were read: none of them can vanish, and no
eleventh policy can slip in, between the check and the write. Those who attach one policy to many do not meet.
"""

from functools import partial

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.ports import Put
from fogbank.registry.certificates import Certificates
from fogbank.registry.changes import Change, Changes, held, settle
from fogbank.registry.constraints import POLICY_NAME
from fogbank.registry.holders import certificates_within
from fogbank.registry.policies import Policies
from fogbank.registry.records import CognitoIdentity, PolicyAttachment, Records
from fogbank.registry.removal import relying
from fogbank.registry.targets import Holder, HolderKind, holder_of, holder_of_key
from fogbank.registry.thing_groups import ThingGroups
from fogbank.storage.collection import Stored
from fogbank.storage.paging import MARKER_PAGE, Page, Paging

MOST = {HolderKind.CERTIFICATE: 10, HolderKind.GROUP: 2, HolderKind.IDENTITY: 10}
"""Policies that one may hold (general reference, IoT Core security limits)."""


class PolicyAttachments:
    """Attaches policies. Targets are given and listed as ARNs, and Cognito identities by their ID."""

    def __init__(
        self,
        records: Records,
        changes: Changes,
        arns: Arns,
        clock: Clock,
        *,
        certificates: Certificates,
        policies: Policies,
        groups: ThingGroups,
    ) -> None:
        self._records = records
        self._changes = changes
        self._arns = arns
        self._clock = clock
        self._certificates = certificates
        self._policies = policies
        self._groups = groups

    async def attach(self, policy: str, target: str) -> None:
        """Let `target` hold `policy`; attaching once more changes nothing.

        Raises ResourceNotFound, InvalidRequest, LimitExceeded.
        """
        holder = holder_of(target, self._arns)

        async def attempt() -> None:
            stored = await self._policies.stored(policy)
            holding = await self._holding(holder)
            if holder.kind is HolderKind.GROUP:
                await self._groups.static(holder.name)
            there = await self._records.policy_attachments.scan(prefix=holder.prefix)
            if any(one.value.policy == policy for one in there):
                return
            if len(there) >= MOST[holder.kind]:
                raise LimitExceeded(f"The target has the maximum number of policies ({MOST[holder.kind]}): {target}")
            value = PolicyAttachment(policy=policy, created=self._clock.time())
            await self._changes.commit(
                relying(self._records.policies, stored),
                holding,
                self._records.policy_attachments.putting(holder.key(policy), value, expect=0),
                change=self._change(holder),
            )

        await settle(attempt)

    async def detach(self, policy: str, target: str) -> None:
        """Take `policy` from `target`. What is not attached, or no policy at all, is no error; an unknown target is.

        Raises InvalidRequest.
        """
        POLICY_NAME.check(policy)
        holder = holder_of(target, self._arns)
        try:
            await self._holding(holder)
        except ResourceNotFound:
            raise InvalidRequest(f"Invalid Target: there is no {target}") from None
        key = holder.key(policy)
        if await self._records.policy_attachments.get(key) is not None:
            await self._changes.commit(self._records.policy_attachments.deleting(key), change=self._change(holder))

    async def of_target(self, target: str, paging: Paging, *, recursive: bool = False) -> Page[str]:
        """Names of the policies that `target` holds; `recursive`: with those of the groups above a group.

        Raises ResourceNotFound, InvalidRequest.
        """
        holder = holder_of(target, self._arns)
        await self._holding(holder)
        if recursive and holder.kind is HolderKind.GROUP:
            return await self._inherited(holder.name, paging)

        async def read(after: str, limit: int) -> list[Stored[PolicyAttachment]]:
            return await self._records.policy_attachments.scan(prefix=holder.prefix, after=after, limit=limit)

        page = await paging.page(f"policies of {holder.prefix}", read, default=MARKER_PAGE)
        return Page([one.value.policy for one in page.items], page.next)

    async def targets(self, policy: str, paging: Paging) -> Page[str]:
        """The targets that hold `policy`. Raises ResourceNotFound, InvalidRequest."""
        await self._policies.stored(policy)

        async def read(after: str, limit: int) -> list[Stored[PolicyAttachment]]:
            return await self._records.policy_attachments.find("policy", policy, after=after, limit=limit)

        page = await paging.page(f"targets of {policy}", read, default=MARKER_PAGE)
        return Page([holder_of_key(one.key).target(self._arns) for one in page.items], page.next)

    async def _inherited(self, group: str, paging: Paging) -> Page[str]:
        """At most two policies for each of seven levels: they are read whole, each policy once, and sorted."""
        found: dict[str, Stored[PolicyAttachment]] = {}
        for name in (await self._groups.describe(group)).path:
            prefix = Holder(HolderKind.GROUP, name).prefix
            for one in await self._records.policy_attachments.scan(prefix=prefix):
                found.setdefault(one.value.policy, Stored(one.value.policy, one.version, one.value))

        async def read(after: str, limit: int) -> list[Stored[PolicyAttachment]]:
            return [found[name] for name in sorted(found) if name > after][:limit]

        page = await paging.page(f"policies down to {group}", read, default=MARKER_PAGE)
        return Page([one.key for one in page.items], page.next)

    async def _holding(self, holder: Holder) -> Put:
        """What fails a batch where the holder is gone or takes another policy meanwhile. Raises ResourceNotFound."""
        match holder.kind:
            case HolderKind.CERTIFICATE:
                return held(self._records.certificates, await self._certificates.stored(holder.name))
            case HolderKind.GROUP:
                try:
                    return held(self._records.thing_groups, await self._groups.stored(holder.name))
                except ResourceNotFound:
                    raise ResourceNotFound(f"Thing group not found: {holder.target(self._arns)}") from None
            case HolderKind.IDENTITY:
                known = await self._records.cognito_identities.get(holder.name)
                return self._records.cognito_identities.putting(
                    holder.name, CognitoIdentity(id=holder.name), expect=0 if known is None else known.version
                )

    def _change(self, holder: Holder) -> Change:
        names = frozenset((holder.name,))
        match holder.kind:
            case HolderKind.CERTIFICATE:
                return Change(certificates=names, identities=names)
            case HolderKind.GROUP:
                return Change(groups=names, touched=partial(certificates_within, self._records, holder.name))
            case HolderKind.IDENTITY:
                return Change(identities=names)
