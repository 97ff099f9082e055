"""The one writer of shadows: what is asked is done in the order of asking, and told once it is on disk.

What is asked in one turn of the event loop, and while an earlier commit is under way, gathers. A *turn* of the writer
takes all of it, works out what it comes to, writes that by one commit, and then tells whoever asked, in order.

    turn 1 │ work out ─▶ commit ... fsync ─▶ tell │
    turn 2 │ gathers                              │ work out ─▶ commit ... fsync ─▶ tell │

So no update is computed on a state that another one replaces, and no lock is held; the more is asked, the more share a
commit.

The state in memory is always the one on disk. Where a commit fails it is forgotten and read again, since the failed
write may have reached the disk after all.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec

from fogbank.clock import Clock
from fogbank.errors import InternalFailure, ServiceError
from fogbank.message import Message
from fogbank.ports import Broadcaster, Documents, ShadowListener, StaleVersion, StorageError
from fogbank.shadows import errors
from fogbank.shadows.cache import Held, ShadowCache
from fogbank.shadows.document import Shadow
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.operations import Outcome, Request, apply, is_forgotten, refused
from fogbank.shadows.record import Shadows, key_of
from fogbank.shadows.topics import ShadowId
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

TURN = 256
"""Requests of one turn: others on the event loop wait while they are worked out, which takes some milliseconds."""
TURN_BYTES = 2**20
"""Of the requests of a turn and the shadows that they are for: what there is to do grows with them."""

GATHERING = 20
"""Turns of the event loop that a turn of the writer waits for more requests at most: a tenth of a millisecond where
nothing else happens."""

ATTEMPTS = 4
"""How often a turn is computed anew because somebody else wrote a record."""

Done = Callable[[bytes | ServiceError], None]
"""Called with the answer to a request; must not raise."""


class Pending(msgspec.Struct, frozen=True):
    """A request, and whom to tell the answer."""

    request: Request
    done: Done


class Turn:
    """Requests that share a commit, and what they have come to so far."""

    def __init__(self, pending: Sequence[Pending]) -> None:
        self.pending = pending
        self.outcomes: list[Outcome] = []
        """One for each, in their order."""
        self.drafts: dict[ShadowId, Draft] = {}


class Draft:
    """A shadow on which a turn works."""

    __slots__ = ("after", "before", "failed", "held")

    def __init__(self, held: Held, before: Shadow | None, *, failed: bool = False) -> None:
        self.held = held
        self.before = self.after = before
        self.failed = failed
        """It could not be read."""


class ShadowWriter:
    """Does what is asked, in turns."""

    def __init__(
        self,
        documents: Documents,
        publisher: Broadcaster,
        clock: Clock,
        trace: Trace,
        limits: ShadowLimits,
        cache: ShadowCache,
    ) -> None:
        self.listeners: list[ShadowListener] = []
        """Told of every shadow that a commit wrote."""
        self._documents = documents
        self._shadows = Shadows(documents)
        self._publisher = publisher
        self._clock = clock
        self._trace = trace
        self._limits = limits
        self._cache = cache
        self._waiting: list[Pending] = []
        self._working = False
        self._last = 0
        """Requests of the last turn."""
        self._tasks = Tasks("shadows")

    def submit(self, request: Request, done: Done) -> None:
        """Have a request done after all those before it; `done` is told once it is durable and was published."""
        self._waiting.append(Pending(request, done))
        if not self._working:
            self._working = True
            self._tasks.start(self._work(), "writer")

    async def drain(self) -> None:
        """Finish what was submitted."""
        await self._tasks.drain()

    async def _work(self) -> None:
        """Turn after turn, until nothing waits."""
        try:
            while self._waiting:
                await self._gather()
                turn = Turn(self._waiting[:TURN])
                del self._waiting[:TURN]
                await self._carry_out(turn)
                self._last = len(turn.pending)
                await self._tell(turn)
        finally:
            self._working = False

    async def _gather(self) -> None:
        """Wait an instant for those who were answered last and may ask again: one commit for all of them costs hardly
        more than one for the first alone, and the others would wait for that."""
        for _ in range(GATHERING):
            if len(self._waiting) >= self._last:
                return
            await asyncio.sleep(0)

    # --- carrying out ---

    async def _carry_out(self, turn: Turn) -> None:
        """Have the outcomes, durable."""
        try:
            for _ in range(ATTEMPTS):
                try:
                    await self._work_out(turn)
                    await self._commit(turn)
                except StaleVersion as stale:
                    log.debug("a shadow's record was changed by others: %s", stale)
                    self._forget(turn)
                else:
                    return
            log.error("shadows: records were changed by others %d times in a row", ATTEMPTS)
        except StorageError as error:
            log.error("shadows cannot be written: %s; callers affected: %d", error, len(turn.pending))
        except Exception:
            log.exception("shadows cannot be written; callers affected: %d", len(turn.pending))
        self._forget(turn)
        self._refuse_written(turn)

    async def _work_out(self, turn: Turn) -> None:
        """Apply the requests to the shadows in memory."""
        now = self._now()
        turn.drafts, turn.outcomes = {}, []
        size = 0
        for place, pending in enumerate(turn.pending):
            if size > TURN_BYTES:
                self._waiting[:0] = turn.pending[place:]
                turn.pending = turn.pending[:place]
                return
            request = pending.request
            draft = turn.drafts.get(request.shadow)
            if draft is None:
                draft = turn.drafts[request.shadow] = await self._open(request.shadow, now)
            size += len(request.payload) + draft.held.size
            outcome = self._apply(request, draft, now)
            draft.after = outcome.after
            turn.outcomes.append(outcome)

    async def _open(self, id_: ShadowId, now: int) -> Draft:
        try:
            held = self._cache.get(id_) or await self._shadows.load(id_)
        except Exception:  # of one shadow, which must not cost the others of its turn theirs
            log.exception("shadow %s cannot be read", id_)
            return Draft(Held(None, 0, 0), None, failed=True)
        shadow = held.shadow
        return Draft(held, None if shadow is None or is_forgotten(shadow, now) else shadow)

    def _apply(self, request: Request, draft: Draft, now: int) -> Outcome:
        if draft.failed:
            return refused(request, None, InternalFailure(errors.INTERNAL_FAILURE), now)
        try:
            return apply(request, draft.after, now, self._limits)
        except Exception:  # a fault of ours with one request must not cost the others of its turn theirs
            log.exception("shadow %s: %s failed unexpectedly", request.shadow, request.operation.value)
            return refused(request, draft.after, InternalFailure(errors.INTERNAL_FAILURE), now)

    async def _commit(self, turn: Turn) -> None:
        written = list(_written(turn))
        puts = [
            self._shadows.putting(key_of(id_), shadow, expect=draft.held.record_version)
            for id_, draft, shadow in written
        ]
        versions = await self._documents.commit(*puts) if puts else []
        for (id_, _, shadow), put, version in zip(written, puts, versions, strict=True):
            self._cache.put(id_, Held(shadow, version, len(put.body)))
            self._notify(id_)
        for id_, draft in turn.drafts.items():
            if draft.after is draft.before and not draft.failed:
                self._cache.put(id_, draft.held)

    def _forget(self, turn: Turn) -> None:
        """What was to be written may be on disk or not."""
        for id_, _, _ in _written(turn):
            self._cache.drop(id_)
            self._notify(id_)

    def _refuse_written(self, turn: Turn) -> None:
        failure, now = InternalFailure(errors.INTERNAL_FAILURE), self._now()
        lost = {id_ for id_, _, _ in _written(turn)}
        for place, pending in enumerate(turn.pending):
            if place >= len(turn.outcomes):
                turn.outcomes.append(refused(pending.request, None, failure, now))
            elif pending.request.shadow in lost:
                turn.outcomes[place] = refused(pending.request, None, failure, now)

    def _notify(self, id_: ShadowId) -> None:
        for listener in self.listeners:
            try:
                listener(id_.thing, id_.name)
            except Exception:  # the change is made, and its answer must not depend on who looks on
                log.exception("shadow %s: a listener failed", id_)

    # --- telling ---

    async def _tell(self, turn: Turn) -> None:
        """Publish what the turn came to, and answer who asked."""
        try:
            await self._publisher.publish_all(self._messages(turn))
        except Exception:  # the changes are made; nobody's answer must depend on who else is told
            log.exception("publishing the answers of shadows failed")
        for pending, outcome in zip(turn.pending, turn.outcomes, strict=True):
            pending.done(outcome.answer)
            if self._trace.active:
                self._trace_outcome(pending.request, outcome)

    def _messages(self, turn: Turn) -> Iterator[Message]:
        """For those who subscribe."""
        has_receivers = self._publisher.has_receivers
        for pending, outcome in zip(turn.pending, turn.outcomes, strict=True):
            request = pending.request
            for kind, make in outcome.told:
                if has_receivers(request.topic(kind)) and (document := make()) is not None:
                    yield request.message(kind, document)

    def _trace_outcome(self, request: Request, outcome: Outcome) -> None:
        if isinstance(outcome.answer, ServiceError):
            status, result = "failure", outcome.answer.message
        else:
            status, result = "success", "" if outcome.after is None else f"version {outcome.after.version}"
        try:
            self._trace.emit(
                "shadow",
                status,
                name=str(request.shadow),
                reason=f"{request.operation.value}: {result}",
                client_id=(request.origin.client_id or "") if request.origin else "",
                principal=request.origin.principal if request.origin else "",
            )
        except Exception:  # who looks on must not keep others from being told
            log.exception("shadow %s: a listener of the trace failed", request.shadow)

    def _now(self) -> int:
        return int(self._clock.time())


def _written(turn: Turn) -> Iterator[tuple[ShadowId, Draft, Shadow]]:
    """The shadows that a turn makes other than they were."""
    for id_, draft in turn.drafts.items():
        if draft.after is not None and draft.after is not draft.before:
            yield id_, draft, draft.after
