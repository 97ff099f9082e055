"""The shadow service: what is asked of a shadow is done in the order of asking, and answered once it is on disk.

A shadow of which something is asked has a mailbox, and a task that empties it: the requests found there are applied
one after the other, what they come to is written by one commit, and then they are answered in order. So no update is
computed on a state that another one replaces, no lock is held, and a shadow that is asked faster than the disk answers
writes once for all who wait. Commits of different shadows share the engine's fsync.

The state in memory is always the one on disk. Where a commit fails it is forgotten and read again, since the failed
write may have reached the disk after all.
"""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InternalFailure, InvalidRequest, ServiceError, ServiceUnavailable
from fogbank.ports import Documents, Publisher, StaleVersion, StorageError
from fogbank.shadows import errors
from fogbank.shadows.cache import Held, ShadowCache
from fogbank.shadows.document import Shadow
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.operations import Outcome, Request, apply, is_forgotten, refused
from fogbank.shadows.topics import SHADOW_NAME, Operation, ShadowId
from fogbank.storage.collection import Collection
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

KIND = "shadow"

BATCH = 256
"""Requests to one shadow that share a commit."""

ATTEMPTS = 4
"""How often a batch is computed anew because somebody else wrote the record."""

SWEEP_SECONDS = 3600
"""How often the records of shadows deleted long ago are removed."""

SWEEP_BATCH = 100


class Page(msgspec.Struct, frozen=True):
    """Names of shadows, in order, and the token for those that follow."""

    names: list[str]
    next_token: str | None


class _Pending(msgspec.Struct, frozen=True):
    request: Request
    done: asyncio.Future[bytes]


class ShadowService:
    """Classic and named shadows. Things need not exist: shadows and the registry know nothing of each other."""

    def __init__(
        self,
        documents: Documents,
        publisher: Publisher,
        clock: Clock,
        trace: Trace,
        limits: ShadowLimits,
        *,
        cache_bytes: int = 8 * 2**20,
    ) -> None:
        """`cache_bytes` bounds the JSON of the shadows kept in memory, which take about five times as much there."""
        self._documents = documents
        self._collection = Collection(documents, KIND, Shadow, indexes=_indexes)
        self._publisher = publisher
        self._clock = clock
        self._trace = trace
        self._limits = limits
        self._cache = ShadowCache(cache_bytes)
        self._mailboxes: dict[ShadowId, list[_Pending]] = {}
        self._tasks = Tasks("shadows")
        self._housekeeping = Tasks("shadows")
        self._open = True

    # --- the API ---

    async def get(self, thing: str, name: str | None = None) -> bytes:
        """The document of a shadow, `name` None for the classic one. Raises ResourceNotFound, InvalidRequest."""
        return await self.submit(Request(ShadowId(thing, name), Operation.GET))

    async def update(self, thing: str, name: str | None, payload: bytes) -> bytes:
        """Merge a request into a shadow, which is made where there is none; the `accepted` document.

        Raises InvalidRequest, Conflict, RequestEntityTooLarge, UnsupportedDocumentEncoding.
        """
        return await self.submit(Request(ShadowId(thing, name), Operation.UPDATE, payload))

    async def delete(self, thing: str, name: str | None = None) -> bytes:
        """Delete a shadow; its last version. Raises ResourceNotFound, InvalidRequest."""
        return await self.submit(Request(ShadowId(thing, name), Operation.DELETE))

    async def names(self, thing: str, limit: int, token: str | None = None) -> Page:
        """The named shadows of a thing; none for one that does not exist. Raises InvalidRequest for a bad token."""
        ShadowId(thing).check()
        if token is not None and SHADOW_NAME.fullmatch(token) is None:
            raise InvalidRequest(f"Invalid nextToken: {token!r} is not one that a page ended with")
        prefix = _key(ShadowId(thing))
        after = prefix + (token or "")
        names: list[str] = []
        while len(names) <= limit:
            found = await self._collection.scan(prefix=prefix, after=after, limit=limit + 1)
            names += [stored.key.removeprefix(prefix) for stored in found if not stored.value.deleted]
            if len(found) <= limit:
                break
            after = found[-1].key
        return Page(names[:limit], names[limit - 1] if len(names) > limit else None)

    def submit(self, request: Request) -> asyncio.Future[bytes]:
        """Have a request done after all those before it; resolves to the answer once it is durable and was published.

        Raises InvalidRequest at once where the names cannot be a shadow's, ServiceUnavailable when closing.
        """
        if request.refusal is None:
            request.shadow.check()
        if not self._open:
            raise ServiceUnavailable("The shadow service is shutting down")
        done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        mailbox = self._mailboxes.get(request.shadow)
        if mailbox is None:
            mailbox = self._mailboxes[request.shadow] = []
            self._tasks.start(self._serve(request.shadow, mailbox), str(request.shadow))
        mailbox.append(_Pending(request, done))
        return done

    def start(self) -> None:
        """Begin to remove what is left of shadows deleted long ago, now and then."""
        self._housekeeping.start(self._keep_house(), "sweep")

    async def close(self) -> None:
        """Take no more requests, and finish those that were taken."""
        self._open = False
        await self._housekeeping.close()
        await self._tasks.drain()

    # --- one shadow ---

    async def _serve(self, id_: ShadowId, mailbox: list[_Pending]) -> None:
        batch: list[_Pending] = []
        try:
            while mailbox:
                batch = mailbox[:BATCH]
                del mailbox[:BATCH]
                outcomes = await self._carry_out(id_, [pending.request for pending in batch])
                for pending, outcome in zip(batch, outcomes, strict=True):
                    await self._tell(pending, outcome)
        finally:
            del self._mailboxes[id_]
            for pending in batch + mailbox:
                if not pending.done.done():
                    pending.done.set_exception(InternalFailure(errors.INTERNAL_FAILURE))

    async def _carry_out(self, id_: ShadowId, requests: Sequence[Request]) -> list[Outcome]:
        """The outcomes of the requests, durable."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    return await self._commit(id_, requests)
                except StaleVersion:
                    self._cache.drop(id_)
            log.error("shadow %s: its record was changed by others %d times in a row", id_, ATTEMPTS)
        except StorageError as error:
            log.error("shadow %s: %s; callers affected: %d", id_, error, len(requests))
        except Exception:
            log.exception("shadow %s cannot be read or written; callers affected: %d", id_, len(requests))
        self._cache.drop(id_)
        failure, now = InternalFailure(errors.INTERNAL_FAILURE), self._now()
        return [refused(request, None, failure, now) for request in requests]

    async def _commit(self, id_: ShadowId, requests: Sequence[Request]) -> list[Outcome]:
        held = self._cache.get(id_) or await self._load(id_)
        now = self._now()
        before = None if held.shadow is None or is_forgotten(held.shadow, now) else held.shadow
        shadow, outcomes = before, []
        for request in requests:
            outcome = self._apply(request, shadow, now)
            shadow = outcome.after
            outcomes.append(outcome)
        if shadow is not None and shadow is not before:
            change = self._collection.putting(_key(id_), shadow, expect=held.record_version)
            [version] = await self._documents.commit(change)
            held = Held(shadow, version, len(change.body))
        self._cache.put(id_, held)
        return outcomes

    def _apply(self, request: Request, before: Shadow | None, now: int) -> Outcome:
        try:
            return apply(request, before, now, self._limits)
        except Exception:  # a fault of ours with one request must not cost the others of its batch theirs
            log.exception("shadow %s: %s failed unexpectedly", request.shadow, request.operation.value)
            return refused(request, before, InternalFailure(errors.INTERNAL_FAILURE), now)

    async def _load(self, id_: ShadowId) -> Held:
        record = await self._documents.get(KIND, _key(id_))
        if record is None:
            return Held(None, 0, 0)
        return Held(msgspec.json.decode(record.body, type=Shadow), record.version, len(record.body))

    async def _tell(self, pending: _Pending, outcome: Outcome) -> None:
        for message in outcome.messages:
            try:
                await self._publisher.publish(message)
            except Exception:  # the change is made; one receiver's trouble must not take the others' messages
                log.exception("publishing to %s failed", message.topic)
        if self._trace.active:
            self._trace_outcome(pending.request, outcome)
        if pending.done.done():  # whoever asked has left
            return
        if isinstance(outcome.answer, ServiceError):
            pending.done.set_exception(outcome.answer)
        else:
            pending.done.set_result(outcome.answer)

    def _trace_outcome(self, request: Request, outcome: Outcome) -> None:
        if isinstance(outcome.answer, ServiceError):
            status, result = "failure", outcome.answer.message
        else:
            status, result = "success", "" if outcome.after is None else f"version {outcome.after.version}"
        self._trace.emit(
            "shadow",
            status,
            name=str(request.shadow),
            reason=f"{request.operation.value}: {result}",
            client_id=(request.origin.client_id or "") if request.origin else "",
            principal=request.origin.principal if request.origin else "",
        )

    def _now(self) -> int:
        return int(self._clock.time())

    # --- housekeeping ---

    async def sweep(self) -> int:
        """Remove the records of shadows whose version no longer counts; how many those were."""
        removed, after = 0, ""
        while found := await self._collection.find("deleted", "yes", after=after, limit=SWEEP_BATCH):
            after = found[-1].key
            for stored in found:
                if is_forgotten(stored.value, self._now()):
                    removed += await self._remove(stored.key, stored.version)
        return removed

    async def _remove(self, key: str, version: int) -> bool:
        try:
            await self._collection.delete(key, expect=version)
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


def _key(id_: ShadowId) -> str:
    """`thing/` for the classic shadow, `thing/name` for others: a thing's shadows are neighbours."""
    return f"{id_.thing}/{id_.name or ''}"


def _indexes(shadow: Shadow) -> dict[str, list[str]]:
    return {"deleted": ["yes"]} if shadow.deleted else {}
