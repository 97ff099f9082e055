"""Which policies are in effect for a principal, and what they come to: GetEffectivePolicies and TestAuthorization.

A device's rights are those that it would be granted if it connected now: asked of the same store as the broker asks.
"""

from collections.abc import Sequence

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.policy import BoundPolicies, Decision, PolicySet, connection_variables
from fogbank.policy.document import Effect
from fogbank.ports import Grant, Identity, PolicyDocument
from fogbank.registry.certificates import Certificates
from fogbank.registry.policies import Policies
from fogbank.registry.principals import Principals
from fogbank.registry.records import Records, attachment_key, memberships_prefix
from fogbank.registry.targets import Holder, HolderKind
from fogbank.registry.thing_groups import ThingGroups
from fogbank.registry.things import Things

NOBODY = Identity("", "", active=False)


class Verdict(msgspec.Struct, frozen=True):
    """What policies say of an action on some resources, all of which must be allowed."""

    decisions: tuple[Decision, ...]
    """One for each resource."""
    allowing: tuple[str, ...]
    """The policies that allow some of it and deny none of it."""
    denying: tuple[str, ...]
    """Those that deny some of it explicitly."""
    silent: tuple[str, ...]
    """Those that say nothing of any of it."""
    absent: tuple[str, ...]
    """The variables and condition keys that they look at and that have no value here."""

    @property
    def allowed(self) -> bool:
        return all(one.allowed for one in self.decisions)


class EffectivePolicies:
    """Answers for what is registered."""

    def __init__(
        self,
        records: Records,
        principals: Principals,
        *,
        certificates: Certificates,
        things: Things,
        groups: ThingGroups,
        policies: Policies,
    ) -> None:
        self._records = records
        self._principals = principals
        self._certificates = certificates
        self._things = things
        self._groups = groups
        self._policies = policies

    async def of(self, holder: Holder | None, thing: str | None) -> list[PolicyDocument]:
        """The policies of `holder` and those of the groups that `thing` is in, if it is the holder's thing.

        Raises ResourceNotFound, InvalidRequest where neither is given.
        """
        if holder is None and thing is None:
            raise InvalidRequest("Name a principal, a thing, or both")
        holders = [] if holder is None else await self._with_ancestors(holder)
        if thing is not None:
            await self._things.stored(thing)
            if holder is None or await self._stands_for(holder, thing):
                members = await self._records.memberships.scan(prefix=memberships_prefix(thing))
                holders += [Holder(HolderKind.GROUP, group) for one in members for group in one.value.path]
        return await self._documents(holders)

    async def test(
        self,
        holder: Holder | None,
        client_id: str | None,
        asked: Sequence[tuple[str, Sequence[str]]],
        *,
        add: Sequence[str] = (),
        skip: Sequence[str] = (),
    ) -> list[Verdict]:
        """Decide on actions, each on some resources, as if `holder` were connected with `client_id`.

        `add` are policies that it shall hold besides, `skip` those that it shall not hold. What comes with a request
        (its source address, the attributes of CONNECT) is not known here. Raises ResourceNotFound.
        """
        identity, grant = NOBODY, Grant()
        if holder is not None and holder.kind is HolderKind.CERTIFICATE:
            await self._certificates.stored(holder.name)
            identity = await self._principals.recheck(msgspec.structs.replace(NOBODY, id=holder.name))
            grant = await self._principals.grant(identity, client_id)
        elif holder is not None:
            grant = Grant(tuple(await self._documents(await self._with_ancestors(holder))))
        added = [PolicyDocument(name, (await self._policies.describe(name)).document) for name in add]
        held = dict.fromkeys(one for one in (*grant.policies, *added) if one.name not in skip)
        known = None if identity is NOBODY else identity
        variables = connection_variables(known, client_id=client_id, thing=grant.thing)
        bound = PolicySet.compile(held).bind(variables)
        return [_verdict(bound, action, resources) for action, resources in asked]

    async def _with_ancestors(self, holder: Holder) -> list[Holder]:
        """The holder itself, and of a group those above it. Raises ResourceNotFound."""
        if holder.kind is HolderKind.GROUP:
            return [Holder(HolderKind.GROUP, name) for name in (await self._groups.describe(holder.name)).path]
        if holder.kind is HolderKind.CERTIFICATE:
            await self._certificates.stored(holder.name)
        return [holder]

    async def _stands_for(self, holder: Holder, thing: str) -> bool:
        if holder.kind is not HolderKind.CERTIFICATE:
            return False
        return await self._records.thing_attachments.get(attachment_key(holder.name, thing)) is not None

    async def _documents(self, holders: Sequence[Holder]) -> list[PolicyDocument]:
        names: dict[str, None] = {}
        for holder in holders:
            attached = await self._records.policy_attachments.scan(prefix=holder.prefix)
            names.update(dict.fromkeys(one.value.policy for one in attached))
        stored = [await self._records.policies.get(name) for name in names]
        return [PolicyDocument(one.key, one.value.document) for one in stored if one is not None]


def _verdict(bound: BoundPolicies, action: str, resources: Sequence[str]) -> Verdict:
    effects: dict[str, set[Effect | None]] = {}
    for resource in resources:
        for policy, effect in bound.verdicts(action, resource).items():
            effects.setdefault(policy, set()).add(effect)
    denying = tuple(policy for policy, found in effects.items() if Effect.DENY in found)
    return Verdict(
        tuple(bound.decide(action, resource) for resource in resources),
        tuple(policy for policy, found in effects.items() if Effect.ALLOW in found and policy not in denying),
        denying,
        tuple(policy for policy, found in effects.items() if found == {None}),
        tuple(bound.absent(action)),
    )
