"""Does the actions of one rule, at their own pace: what is slow or dead behind one rule holds back no other."""

import asyncio
from base64 import b64encode
from collections import deque
from uuid import uuid4

import msgspec

from fogbank.clock import Clock
from fogbank.errors import FogbankError
from fogbank.ports import StorageError
from fogbank.rules.actions.base import Action, ActionFailed, Firing
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.counters import Counters
from fogbank.rules.faults import Faults
from fogbank.tasks import Tasks
from fogbank.trace import Trace

MAX_WAITING = 1000
"""Firings of one rule that wait for their actions; beyond that the newest is dropped."""

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Payloads and results among them."""

WORKERS = 16
"""Firings of one rule in the works at once. They start in the order in which they came."""

RETRY_DELAYS = (0.25, 1.0)
"""Seconds before each further try of an action whose failure may pass. AWS documents no schedule."""


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """One action given up, as the error action is told of it (Developer Guide, "Error action message format")."""

    failed_action: str
    failed_resource: str
    error_message: str


class ErrorDocument(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of an error action: what failed, and the message that it failed for."""

    rule_name: str
    topic: str
    cloudwatch_trace_id: str
    client_id: str
    base64_original_payload: str
    failures: list[Failure]


class Executor:
    """A bounded queue of firings and the tasks that work it off; idle rules have no task."""

    def __init__(
        self, compiled: CompiledRule, counters: Counters, tasks: Tasks, faults: Faults, clock: Clock, trace: Trace
    ) -> None:
        self.counters = counters
        self._rule = compiled.rule.name
        self._actions = compiled.actions
        self._error_action = compiled.error_action
        self._tasks = tasks
        self._faults = faults
        self._clock = clock
        self._trace = trace
        self._waiting: deque[Firing] = deque()
        self._waiting_bytes = 0
        self._workers = 0

    def submit(self, firing: Firing) -> bool:
        """Take a firing, or drop it and return False where too many wait already."""
        if not self._actions:
            return True
        size = _size(firing)
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes + size > MAX_WAITING_BYTES:
            self.counters.throttled += 1
            self._faults.report(
                "queue full", f"{len(self._waiting)} messages wait for its actions; newer ones are lost"
            )
            return False
        self._waiting.append(firing)
        self._waiting_bytes += size
        if self._workers < WORKERS:
            self._workers += 1
            self._tasks.start(self._work(), self._rule)
        return True

    async def _work(self) -> None:
        try:
            while self._waiting:
                firing = self._waiting.popleft()
                self._waiting_bytes -= _size(firing)
                await self._execute(firing)
            self._faults.clear("queue full")
        finally:
            self._workers -= 1

    async def _execute(self, firing: Firing) -> None:
        if len(self._actions) == 1:
            outcomes = [await self._run(self._actions[0], firing)]
        else:
            outcomes = await asyncio.gather(*(self._run(action, firing) for action in self._actions))
        failures = [outcome for outcome in outcomes if outcome is not None]
        self.counters.failure += len(failures)
        self.counters.success += len(outcomes) - len(failures)
        if failures and self._error_action is not None:
            document = msgspec.json.encode(self._describe(firing, failures))
            told = await self._run(self._error_action, msgspec.structs.replace(firing, output=document), "errorAction/")
            if told is None:
                self.counters.error_action_success += 1
            else:
                self.counters.error_action_failure += 1

    async def _run(self, action: Action, firing: Firing, role: str = "") -> Failure | None:
        """Do an action, with further tries; what it failed of, if it did."""
        started = self._clock.monotonic()
        failed = await self._try(action, firing)
        for delay in RETRY_DELAYS:
            if failed is None or not failed.transient:
                break
            await self._clock.sleep(delay)
            failed = await self._try(action, firing)
        self._tell(action, firing, role, failed, self._clock.monotonic() - started)
        return None if failed is None else Failure(action.title, failed.resource, str(failed))

    @staticmethod
    async def _try(action: Action, firing: Firing) -> ActionFailed | None:
        try:
            await action.run(firing)
        except ActionFailed as error:
            return error
        except FogbankError as error:
            return _failed(action, str(error), error, transient=isinstance(error, StorageError))
        except Exception as error:
            return _failed(action, f"{action.title} failed: {error!r}", error)
        return None

    def _tell(self, action: Action, firing: Firing, role: str, failed: ActionFailed | None, seconds: float) -> None:
        fault = f"{role}{action.kind} {action.target}"
        if failed is None:
            self._faults.clear(fault)
        else:
            # A failure foreseen says all there is to say; one that is not is ours, and its traceback is wanted.
            ours = None if isinstance(failed.__cause__, FogbankError) else failed.__cause__
            self._faults.report(fault, str(failed), ours)
        if self._trace.active:
            self._trace.emit(
                "action",
                "success" if failed is None else "failure",
                reason="" if failed is None else str(failed),
                name=f"{self._rule}/{role}{action.kind}",
                topic=firing.message.topic,
                client_id=firing.message.origin.client_id or "",
                principal=firing.message.origin.principal,
                duration_ms=seconds * 1000,
                detail={"target": action.target},
            )

    def _describe(self, firing: Firing, failures: list[Failure]) -> ErrorDocument:
        return ErrorDocument(
            rule_name=self._rule,
            topic=firing.message.topic,
            cloudwatch_trace_id=firing.event.trace_id or str(uuid4()),
            client_id=firing.message.origin.client_id or "n/a",
            base64_original_payload=b64encode(firing.message.payload).decode(),
            failures=failures,
        )


def _failed(action: Action, message: str, cause: Exception, *, transient: bool = False) -> ActionFailed:
    failed = ActionFailed(message, resource=action.target, transient=transient)
    failed.__cause__ = cause
    return failed


def _size(firing: Firing) -> int:
    return len(firing.message.payload) + len(firing.output)
