"""The one way in which IAM writes: durably, then told to those who watch, then answered.

Writers read, check and hand over a batch that holds on to what they read, and look again where someone was quicker
(`identity.records.settle`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fogbank.ports import Delete, Documents, Expect, Put, StaleVersion
from fogbank.tasks import Tasks

log = logging.getLogger(__name__)

Touched = frozenset[str]
"""IDs of users and roles whose rights are others than before."""
Listener = Callable[[Touched], Awaitable[None]]


class Changes:
    """Commits IAM's batches and tells of them."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._tasks = Tasks("iam")
        self._listeners: list[Listener] = []
        self.count = 0
        """Grows with every change: what was worked out while it stood still is of one piece."""

    def watch(self, listener: Listener) -> None:
        """Await `listener` with the users and roles that a change touches, before the call that made it is answered."""
        self._listeners.append(listener)

    async def commit(
        self,
        *writes: Put | Delete | Expect,
        touched: Callable[[], Awaitable[Touched]] | Touched = frozenset(),
        then: Callable[[], None] | None = None,
        unsure: Callable[[], None] | None = None,
    ) -> None:
        """Write all or none, do `then`, tell of the users and roles that are `touched`. Raises StaleVersion.

        `unsure` is done where the storage fails, and nobody knows whether it has written.

        Runs to its end even where the caller is cancelled meanwhile (a client that hangs up): a key that is deleted on
        disk must not go on living in memory.
        """
        stale = await asyncio.shield(self._tasks.start(self._commit(writes, touched, then, unsure), "commit"))
        if stale is not None:
            raise stale

    async def close(self) -> None:
        """Wait for what is under way."""
        await self._tasks.drain()

    async def _commit(
        self,
        writes: tuple[Put | Delete | Expect, ...],
        touched: Callable[[], Awaitable[Touched]] | Touched,
        then: Callable[[], None] | None,
        unsure: Callable[[], None] | None,
    ) -> StaleVersion | None:
        try:
            await self._documents.commit(*writes)
        except StaleVersion as stale:
            return stale
        except BaseException:
            if unsure is not None:
                unsure()
            raise
        finally:
            self.count += 1
        if then is not None:
            then()
        holders = touched if isinstance(touched, frozenset) else await touched()
        for listener in self._listeners if holders else ():
            try:
                await listener(holders)
            except Exception:
                log.exception("a watcher of users and roles failed; the change itself is stored")
        return None
