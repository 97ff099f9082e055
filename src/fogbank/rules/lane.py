"""One action of one rule at work: a bounded queue and a few workers; what is slow or dead holds back nothing else.

A firing that comes while nothing is under way goes at once. While calls are under way those that come gather, and go
together as soon as they fill a batch or a worker is free: batches grow with the load, and idle targets wait for nobody.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from fogbank.clock import Clock
from fogbank.errors import FogbankError, ServiceError
from fogbank.ports import OutboundError, RoleRights, StorageError
from fogbank.rules.actions.base import Action, ActionFailed, Firing, Plan, failure, is_transient
from fogbank.rules.faults import Faults
from fogbank.tasks import Tasks
from fogbank.trace import Trace

MAX_WAITING = 10_000
"""Firings that wait for one action; beyond that the newest fails."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Payloads and results among them."""

WORKERS = 16
"""Calls of one action under way at once. They start in the order in which firings came."""

EAGER_WORKERS = 4
"""So many may be under way with less than a full batch each; beyond that, what comes gathers. More than one, so that a
call which takes long does not hold up a trickle of messages."""


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """One action given up, as the error action is told of it (Developer Guide, "Error action message format")."""

    failed_action: str
    failed_resource: str
    error_message: str


Settle = Callable[["Delivery", Failure | None], None]
"""Told once of each delivery what became of it in one lane."""


class Delivery:
    """A firing on its way through the actions of its rule."""

    __slots__ = ("failures", "firing", "left", "row", "size")

    def __init__(self, firing: Firing, lanes: int, row: int = 0) -> None:
        self.firing = firing
        self.row = row
        """Under which number it is kept until all is done; 0: it is not."""
        self.left = lanes
        """Lanes that have not told yet what became of it."""
        self.failures: list[Failure] = []
        self.size = len(firing.message.payload) + len(firing.output)


class Lane:
    """Takes deliveries to one action. Idle lanes have no task."""

    def __init__(
        self,
        action: Action,
        settle: Settle,
        *,
        rule: str,
        role: str,
        source: str,
        rights: RoleRights | None,
        tasks: Tasks,
        faults: Faults,
        clock: Clock,
        trace: Trace,
    ) -> None:
        """`role` precedes the action's name in log and trace, `errorAction/` or nothing; `source` is the rule's ARN."""
        self._action = action
        self.settle = settle
        self._rule = rule
        self._name = f"{role}{action.kind}"
        self._fault = f"{self._name} {action.target}"
        self._full = f"queue of {self._name}"
        self._source = source
        self._rights = rights
        self._tasks = tasks
        self._faults = faults
        self._clock = clock
        self._trace = trace
        self._waiting: deque[Delivery] = deque()
        self._waiting_bytes = 0
        self._workers = 0
        self._starting = 0
        self._lingering = 0

    def has_room(self, size: int) -> bool:
        """Whether at most half of the queue is taken with so many bytes more, or nothing waits at all."""
        if not self._waiting:
            return True
        return len(self._waiting) < MAX_WAITING // 2 and self._waiting_bytes + size <= MAX_WAITING_BYTES // 2

    def put(self, delivery: Delivery) -> Failure | None:
        """Take a delivery, or tell why not: too many wait already."""
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + delivery.size > MAX_WAITING_BYTES:
            reason = f"queue full: {len(self._waiting)} messages wait for {self._name}; newer ones are lost"
            self._faults.report(self._full, reason)
            return Failure(self._action.title, self._action.target, reason)
        self._waiting.append(delivery)
        self._waiting_bytes += delivery.size
        if self._wants_worker():
            self._workers += 1
            self._starting += 1
            self._tasks.start(self._work(), f"{self._rule}.{self._name}")
        return None

    def _wants_worker(self) -> bool:
        """Whether more wait than those will take who are about to start, or somebody should see to what waits."""
        if self._workers >= WORKERS:
            return False
        if self._starting == self._lingering == 0 and (self._action.linger or self._workers < EAGER_WORKERS):
            return True
        return len(self._waiting) >= self._action.most * (self._starting + 1)

    async def _work(self) -> None:
        self._starting -= 1
        try:
            while self._waiting:
                if self._action.linger and len(self._waiting) < self._action.most:
                    await self._linger()
                else:
                    await self._deliver(self._take())
            self._faults.clear(self._full)
        finally:
            self._workers -= 1

    async def _linger(self) -> None:
        self._lingering += 1
        try:
            await self._clock.sleep(self._action.linger)
        finally:
            self._lingering -= 1
        if self._waiting:
            await self._deliver(self._take())

    def _take(self) -> list[Delivery]:
        count = min(self._action.most, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(count)]
        self._waiting_bytes -= sum(delivery.size for delivery in taken)
        return taken

    async def _deliver(self, taken: list[Delivery]) -> None:
        """Perform the action for some firings, with further tries for those that failed of what may pass."""
        started = self._clock.monotonic()
        pending: list[tuple[Delivery, Plan]] = []
        for delivery in taken:
            try:
                pending.append((delivery, await self._plan(delivery.firing)))
            except Exception as error:
                self._tell(delivery, self._understood(error, self._action.target), started)
        for delay in (*self._action.retry_delays, None):
            results = await self._perform([plan for _, plan in pending])
            again: list[tuple[Delivery, Plan]] = []
            for entry, failed in zip(pending, results, strict=True):
                if failed is not None and failed.transient and delay is not None:
                    again.append(entry)
                else:
                    self._tell(entry[0], failed, started)
            if not again or delay is None:
                return
            pending = again
            await self._clock.sleep(delay)

    async def _plan(self, firing: Firing) -> Plan:
        if firing.answers is None:
            return self._action.plan(firing)
        return await firing.answers.complete(
            lambda known: self._action.plan(msgspec.structs.replace(firing, known=known))
        )

    async def _perform(self, plans: list[Plan]) -> list[ActionFailed | None]:
        results: list[ActionFailed | None] = [None] * len(plans)
        if self._rights is not None:
            results = [await self._refused(self._rights, plan) for plan in plans]
        allowed = [index for index, failed in enumerate(results) if failed is None]
        if not allowed:
            return results
        chosen = [plans[index] for index in allowed]
        try:
            done = await self._action.perform(chosen)
        except Exception as error:
            done = [self._understood(error, plan.resource) for plan in chosen]
        for index, failed in zip(allowed, done, strict=True):
            results[index] = failed
        return results

    async def _refused(self, rights: RoleRights, plan: Plan) -> ActionFailed | None:
        if plan.need is None or self._action.role is None:
            return None
        try:
            await rights.check(self._action.role, plan.need.action, plan.need.resource, source=self._source)
        except Exception as error:
            return self._understood(error, plan.resource)
        return None

    def _understood(self, error: Exception, resource: str) -> ActionFailed:
        if isinstance(error, ActionFailed):
            return error
        if isinstance(error, OutboundError):
            return failure(f"{self._action.title} failed", error, resource)
        if isinstance(error, ServiceError):
            return ActionFailed(error.message, resource=resource, transient=is_transient(error))
        if isinstance(error, FogbankError):
            return ActionFailed(str(error), resource=resource, transient=isinstance(error, StorageError))
        return ActionFailed(f"{self._action.title} failed: {error!r}", resource=resource, unforeseen=error)

    def _tell(self, delivery: Delivery, failed: ActionFailed | None, started: float) -> None:
        if failed is None:
            self._faults.clear(self._fault)
        else:
            self._faults.report(self._fault, str(failed), failed.unforeseen)
        if self._trace.active:
            message = delivery.firing.message
            self._trace.emit(
                "action",
                "success" if failed is None else "failure",
                reason="" if failed is None else str(failed),
                name=f"{self._rule}/{self._name}",
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
                duration_ms=(self._clock.monotonic() - started) * 1000,
                detail={"target": self._action.target},
            )
        self.settle(delivery, None if failed is None else Failure(self._action.title, failed.resource, str(failed)))
