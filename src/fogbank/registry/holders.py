"""Whose rights a policy or a thing group has a part in: the certificates that are to hear when it changes.

Read in pages, with a pause after each, so that others get their turn where a policy is a whole fleet's.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from fogbank.registry.records import BillingMembership, Membership, Records, ThingAttachment
from fogbank.registry.targets import HolderKind, holder_of_key
from fogbank.storage.collection import Stored
from fogbank.storage.paging import Read

T = TypeVar("T", bound=msgspec.Struct)

PAGE = 1000


async def holders_of(records: Records, policy: str) -> frozenset[str]:
    """The certificates that hold a policy: by themselves, or by a group that a thing of theirs is in."""
    found: set[str] = set()
    attachments = records.policy_attachments
    async for one in _every(lambda after, limit: attachments.find("policy", policy, after=after, limit=limit)):
        holder = holder_of_key(one.key)
        if holder.kind is HolderKind.CERTIFICATE:
            found.add(holder.name)
        elif holder.kind is HolderKind.GROUP:
            found |= await certificates_within(records, holder.name)
    return frozenset(found)


async def certificates_within(records: Records, group: str) -> frozenset[str]:
    """The certificates attached to things of a group, or of a group below it."""
    found: set[str] = set()
    members = records.memberships
    async for one in _every(lambda after, limit: members.find("within", group, after=after, limit=limit)):
        found |= await certificates_of(records, one.value.thing)
    return frozenset(found)


async def certificates_of(records: Records, thing: str) -> frozenset[str]:
    """The certificates attached to a thing."""
    attached: list[Stored[ThingAttachment]] = await records.thing_attachments.find("thing", thing)
    return frozenset(one.value.certificate for one in attached)


async def certificates_of_type(records: Records, type_name: str) -> frozenset[str]:
    """The certificates attached to things of a type."""
    found: set[str] = set()
    things = records.things
    async for one in _every(lambda after, limit: things.find("type", type_name, after=after, limit=limit)):
        found |= await certificates_of(records, one.key)
    return frozenset(found)


async def members_of(records: Records, group: str) -> list[Stored[Membership]]:
    """The memberships of a group itself."""
    members = records.memberships
    return [one async for one in _every(lambda after, limit: members.find("group", group, after=after, limit=limit))]


async def billed_to(records: Records, group: str) -> list[Stored[BillingMembership]]:
    """The memberships of a billing group."""
    members = records.billing_memberships
    return [one async for one in _every(lambda after, limit: members.find("group", group, after=after, limit=limit))]


async def _every(read: Read[T]) -> AsyncIterator[Stored[T]]:
    """All that `read` gives, in pages."""
    after = ""
    while True:
        page = await read(after, PAGE)
        for one in page:
            yield one
        if len(page) < PAGE:
            return
        after = page[-1].key
        await asyncio.sleep(0)
