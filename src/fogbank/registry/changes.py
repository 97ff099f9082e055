"""The one way in which the registry writes: durably, then told to the caches, then to those who watch, then answered.

Writers read, check and hand over a batch whose every document carries the version they read; where someone was
quicker, storage refuses the whole batch and `settle` lets them look again. What must not change under several writers
at once (ten policies on a certificate stay ten) is `held`: written again as it was read, so that one of them wins. What
need only be there (the policy that is attached) is merely expected, see `removal`: thousands may do that at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from fogbank.errors import ServiceUnavailable
from fogbank.ports import Delete, Documents, Expect, PrincipalListener, Put, StaleVersion
from fogbank.registry.happenings import Happening
from fogbank.storage.collection import Collection, Stored
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

ATTEMPTS = 256
"""How often a writer looks again. Of those who meet at one document one wins every round, so that this is also how
many may meet there at once; beyond it the caller is asked to come back, which the SDKs do by themselves."""

NOBODY: frozenset[str] = frozenset()

Touched = Callable[[], Awaitable[frozenset[str]]]
Happenings = Callable[[], Iterable[Happening]]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch changes, by name, for the caches; and the identities whose rights or status that touches.

    `touched` finds further identities once the batch is durable: who holds a policy by then, and no earlier, is known.
    """

    certificates: frozenset[str] = NOBODY
    policies: frozenset[str] = NOBODY
    things: frozenset[str] = NOBODY
    """Their memberships in groups included."""
    types: frozenset[str] = NOBODY
    groups: frozenset[str] = NOBODY
    authorities: frozenset[str] = NOBODY
    """Subjects of CA certificates, as digests."""
    identities: frozenset[str] = NOBODY
    touched: Touched | None = None
    happened: Happenings | None = None
    """What registry events tell of it, in their order; called once the batch is durable, and only where any of them
    are enabled."""


Announce = Callable[[Happenings], Awaitable[None]]
Forget = Callable[[Change], None]


class Changes:
    """Commits the registry's batches and tells of them."""

    def __init__(self, documents: Documents, tasks: Tasks) -> None:
        self._documents = documents
        self._tasks = tasks
        self._caches: list[Forget] = []
        self._listeners: list[PrincipalListener] = []
        self._announce: Announce | None = None
        self.count = 0
        """Grows with every change: what was put together while it stood still is of one piece."""

    def invalidate(self, forget: Forget) -> None:
        """Call `forget` with every change as soon as it is durable, before anyone else hears of it."""
        self._caches.append(forget)

    def watch(self, listener: PrincipalListener) -> None:
        """Await `listener` with the identities that a change touches, before the call that made it is answered."""
        self._listeners.append(listener)

    def announce(self, announce: Announce) -> None:
        """Hand what happened to `announce` once it is durable and those who watch have heard; it never raises."""
        self._announce = announce

    async def tell(self, identities: frozenset[str]) -> None:
        """Tell those who watch of identities that have changed without a write: whose time is over."""
        await self._tell(Change(identities=identities))

    async def commit(self, *writes: Put | Delete | Expect, change: Change) -> None:
        """Write all or none, then tell. Raises StaleVersion.

        Runs to its end even where the caller is cancelled meanwhile (a client that hangs up): what became durable
        must not stay unknown to the caches, or a revoked certificate would go on living there.
        """
        stale = await asyncio.shield(self._tasks.start(self._commit(writes, change), "commit"))
        if stale is not None:
            raise stale

    async def _commit(self, writes: tuple[Put | Delete | Expect, ...], change: Change) -> StaleVersion | None:
        try:
            await self._documents.commit(*writes)
        except StaleVersion as stale:
            return stale
        except BaseException:
            self._forget(change)  # whether it was written is unknown
            raise
        self._forget(change)
        await self._tell(change)
        if self._announce is not None and change.happened is not None:
            await self._announce(change.happened)
        return None

    async def _tell(self, change: Change) -> None:
        identities = change.identities
        if change.touched is not None:
            identities |= await change.touched()
        for listener in self._listeners if identities else ():
            try:
                await listener(identities)
            except Exception:
                log.exception("a watcher of principals failed; the change itself is stored")

    def _forget(self, change: Change) -> None:
        self.count += 1
        for forget in self._caches:
            forget(change)


def held(collection: Collection[S], stored: Stored[S]) -> Put:
    """The write that lets a batch succeed only while `stored` is as it was read, and leaves it so."""
    return collection.putting(stored.key, stored.value, expect=stored.version)


async def settle(attempt: Callable[[], Awaitable[T]]) -> T:
    """Run `attempt` (read, check, commit) until nobody was quicker. Raises ServiceUnavailable where that never ends."""
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except StaleVersion as stale:
            met = stale
    raise ServiceUnavailable(f"Too many concurrent changes of {met.kind} {met.key}; try again")
