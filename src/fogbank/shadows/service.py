"""The shadow service: what other services, the HTTP API and rules ask of shadows. `writer` does it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, ServiceError, ServiceUnavailable, Throttling
from fogbank.ports import Broadcaster, Documents, ShadowListener, StaleVersion
from fogbank.shadows import answers, errors
from fogbank.shadows.cache import ShadowCache
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.operations import Request, is_forgotten
from fogbank.shadows.rates import ShadowRates
from fogbank.shadows.record import Shadows, key_of
from fogbank.shadows.topics import SHADOW_NAME, Operation, ShadowId
from fogbank.shadows.writer import Done, ShadowWriter
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600
"""How often the records of shadows deleted long ago are removed."""

SWEEP_BATCH = 100


class Page(msgspec.Struct, frozen=True):
    """Names of shadows, in order, and the token for those that follow."""

    names: list[str]
    next_token: str | None


class ShadowService:
    """Classic and named shadows; implements the port ShadowReader.

    Things need not exist: shadows and the registry know nothing of each other.
    """

    def __init__(
        self,
        documents: Documents,
        publisher: Broadcaster,
        clock: Clock,
        trace: Trace,
        limits: ShadowLimits,
        *,
        cache_bytes: int = 8 * 2**20,
    ) -> None:
        """`cache_bytes` bounds the JSON of the shadows kept in memory, which take about five times as much there."""
        self._shadows = Shadows(documents)
        self._clock = clock
        self._rates = ShadowRates(limits, clock)
        self._writer = ShadowWriter(documents, publisher, clock, trace, limits, ShadowCache(cache_bytes))
        self._housekeeping = Tasks("shadows")
        self._open = True

    # --- the API ---

    async def get(self, thing: str, name: str | None = None) -> bytes:
        """The document of a shadow, `name` None for the classic one.

        Raises ResourceNotFound, InvalidRequest, Throttling.
        """
        return await self._ask(Request(ShadowId(thing, name), Operation.GET))

    async def update(self, thing: str, name: str | None, payload: bytes) -> bytes:
        """Merge a request into a shadow, which is made where there is none; the `accepted` document.

        Raises InvalidRequest, Conflict, RequestEntityTooLarge, UnsupportedDocumentEncoding, Throttling.
        """
        return await self._ask(Request(ShadowId(thing, name), Operation.UPDATE, payload))

    async def delete(self, thing: str, name: str | None = None) -> bytes:
        """Delete a shadow; its last version. Raises ResourceNotFound, InvalidRequest, Throttling."""
        return await self._ask(Request(ShadowId(thing, name), Operation.DELETE))

    async def names(self, thing: str, limit: int, token: str | None = None) -> Page:
        """The named shadows of a thing; none for one that does not exist. Raises InvalidRequest for a bad token."""
        ShadowId(thing).check()
        if token is not None and SHADOW_NAME.fullmatch(token) is None:
            raise InvalidRequest(f"Invalid nextToken: {token!r} is not one that a page ended with")
        prefix = key_of(ShadowId(thing))
        after = prefix + (token or "")
        names: list[str] = []
        while len(names) <= limit:
            found = await self._shadows.scan(prefix=prefix, after=after, limit=limit + 1)
            names += [stored.key.removeprefix(prefix) for stored in found if not stored.value.deleted]
            if len(found) <= limit:
                break
            after = found[-1].key
        return Page(names[:limit], names[limit - 1] if len(names) > limit else None)

    # --- the port ShadowReader ---

    async def of_thing(self, thing: str) -> Mapping[str | None, Mapping[str, Any]]:
        """All shadows of a thing as they are on disk, by name, None for the classic one."""
        prefix = key_of(ShadowId(thing))
        return {
            stored.key.removeprefix(prefix) or None: answers.view(stored.value)
            for stored in await self._shadows.scan(prefix=prefix)
            if not stored.value.deleted
        }

    def watch(self, listener: ShadowListener) -> None:
        """Tell `listener` of every shadow that is written or deleted, once for all that one commit does to it. Of one
        whose commit failed, too: it may have reached the disk."""
        self._writer.listeners.append(listener)

    # --- requests ---

    def submit(self, request: Request, done: Done) -> None:
        """Have a request done after all those before it; `done` gets the answer once it is durable and was published.

        Its names must have been checked, or the request be refused already. Raises ServiceUnavailable when closing.
        """
        if not self._open:
            raise ServiceUnavailable("The shadow service is shutting down")
        if request.refusal is None and not self._rates.admit(request.shadow):
            request = msgspec.structs.replace(request, refusal=Throttling(errors.TOO_MANY_REQUESTS))
        self._writer.submit(request, done)

    async def _ask(self, request: Request) -> bytes:
        request.shadow.check()
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def done(answer: bytes | ServiceError) -> None:
            if answered.done():  # whoever asked has left
                return
            if isinstance(answer, ServiceError):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        self.submit(request, done)
        return await answered

    # --- housekeeping ---

    def start(self) -> None:
        """Begin to remove what is left of shadows deleted long ago, now and then."""
        self._housekeeping.start(self._keep_house(), "sweep")

    async def close(self) -> None:
        """Take no more requests, and finish those that were taken."""
        self._open = False
        await self._housekeeping.close()
        await self._writer.drain()

    async def sweep(self) -> int:
        """Remove the records of shadows whose version no longer counts; how many those were."""
        removed, after = 0, ""
        while found := await self._shadows.find("deleted", "yes", after=after, limit=SWEEP_BATCH):
            after = found[-1].key
            now = int(self._clock.time())
            for stored in found:
                if is_forgotten(stored.value, now):
                    removed += await self._remove(stored.key, stored.version)
        return removed

    async def _remove(self, key: str, version: int) -> bool:
        try:
            await self._shadows.delete(key, expect=version)
        except StaleVersion:  # made again in the meantime
            return False
        return True

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("removing what is left of deleted shadows failed; next try in %d s", SWEEP_SECONDS)
            await self._clock.sleep(SWEEP_SECONDS)
