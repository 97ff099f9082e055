"""Does the actions of one rule, each at its own pace, and tells the error action of those that were given up."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import msgspec

from fogbank.clock import Clock
from fogbank.message import Message
from fogbank.ports import Spool
from fogbank.rules.actions.base import Action, Firing
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.counters import ActionCounters, Counters
from fogbank.rules.faults import Faults
from fogbank.rules.lane import Delivery, Failure, Lane
from fogbank.rules.spool import Row, RuleSpool
from fogbank.sql import Event
from fogbank.tasks import Tasks
from fogbank.trace import Trace


class ErrorDocument(msgspec.Struct, frozen=True, rename="camel"):
    """The payload of an error action: what failed, and the message that it failed for."""

    rule_name: str
    topic: str
    cloudwatch_trace_id: str
    client_id: str
    base64_original_payload: str
    failures: list[Failure]


class Executor:
    """A lane for each action. The error action has one too, and runs once for a message when all others are through."""

    def __init__(
        self,
        compiled: CompiledRule,
        counters: Counters,
        tasks: Tasks,
        faults: Faults,
        clock: Clock,
        trace: Trace,
        spool: Spool | None = None,
    ) -> None:
        """Without a `spool`, what is under way ends with the process."""
        self.counters = counters
        self._rule = compiled.rule.name
        self._spool = None if spool is None else RuleSpool(spool, compiled)
        self._keeps = self._spool is not None and self._spool.is_needed

        def lane(action: Action, settle: Callable[[ActionCounters, Delivery, Failure | None], None], role: str) -> Lane:
            return Lane(
                action,
                partial(settle, counters.of(action.kind)),
                rule=self._rule,
                role=role,
                source=compiled.arn,
                rights=compiled.rights,
                tasks=tasks,
                faults=faults,
                clock=clock,
                trace=trace,
            )

        error_action = compiled.error_action
        self._lanes = [lane(action, self._settled, "") for action in compiled.actions]
        self._error_lane = None if error_action is None else lane(error_action, self._told, "errorAction/")

    def owe(self, message: Message, event: Event) -> int:
        """Keep a message that takes a while to evaluate before it is acknowledged: its row, for `submit` or `release`.

        0: nothing needs to be kept, which is so at QoS 0 and without durable actions.
        """
        return self._keep(message, event, None) if self._keeps and message.qos else 0

    def release(self, row: int) -> None:
        """Nothing is owed for that row any more."""
        if row and self._spool is not None:
            self._spool.done(row)

    def kept_output(self, row: Row) -> bytes | None:
        """The result of SELECT that a row has for the actions; None where its message has to be evaluated."""
        assert self._spool is not None
        return self._spool.output(row)

    def has_room(self, size: int) -> bool:
        """Whether at most half as many wait for each action as may."""
        return all(lane.has_room(size) for lane in self._lanes)

    def submit(self, firing: Firing, row: int = 0) -> bool:
        """Take a firing; False where an action has too many waiting already and will not be done for it.

        Before its message is acknowledged it is kept, unless it is in `row` already.
        """
        if not self._lanes:
            self.release(row)
            return True
        delivery = Delivery(firing, len(self._lanes), row)
        refused = [(lane, failure) for lane in self._lanes if (failure := lane.put(delivery)) is not None]
        # Only now: so the lanes have their turn before the commit begins, and what they do at once is never written.
        if self._keeps and not row and firing.message.qos:
            delivery.row = self._keep(firing.message, firing.event, firing.output)
        if not refused:
            return True
        self.counters.throttled += 1
        for lane, failure in refused:
            lane.settle(delivery, failure)
        return False

    def _keep(self, message: Message, event: Event, output: bytes | None) -> int:
        assert self._spool is not None
        return self._spool.keep(message, event, output)

    def _settled(self, counters: ActionCounters, delivery: Delivery, failure: Failure | None) -> None:
        if failure is None:
            self.counters.success += 1
            counters.success += 1
        else:
            self.counters.failure += 1
            counters.failure += 1
            delivery.failures.append(failure)
        delivery.left -= 1
        if delivery.left:
            return
        if not delivery.failures or self._error_lane is None:
            self.release(delivery.row)
        else:
            document = msgspec.json.encode(self._describe(delivery.firing, delivery.failures))
            told = Delivery(msgspec.structs.replace(delivery.firing, output=document), 1, delivery.row)
            if (refused := self._error_lane.put(told)) is not None:
                self._error_lane.settle(told, refused)

    def _told(self, counters: ActionCounters, delivery: Delivery, failure: Failure | None) -> None:
        if failure is None:
            self.counters.error_action_success += 1
            counters.error_action_success += 1
        else:
            self.counters.error_action_failure += 1
            counters.error_action_failure += 1
        self.release(delivery.row)

    def _describe(self, firing: Firing, failures: list[Failure]) -> ErrorDocument:
        return ErrorDocument(
            rule_name=self._rule,
            topic=firing.message.topic,
            cloudwatch_trace_id=firing.event.trace_id or str(uuid4()),
            client_id=firing.message.origin.client_id or "n/a",
            base64_original_payload=b64encode(firing.message.payload).decode(),
            failures=failures,
        )
