"""Does the actions of one rule, each at its own pace, and tells the error action of those that were given up."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from uuid import uuid4

import msgspec

from fogbank.clock import Clock
from fogbank.rules.actions.base import Action, Firing
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.counters import ActionCounters, Counters
from fogbank.rules.faults import Faults
from fogbank.rules.lane import Delivery, Failure, Lane
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
        self, compiled: CompiledRule, counters: Counters, tasks: Tasks, faults: Faults, clock: Clock, trace: Trace
    ) -> None:
        self.counters = counters
        self._rule = compiled.rule.name

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

    def submit(self, firing: Firing) -> bool:
        """Take a firing; False where an action has too many waiting already and will not be done for it."""
        if not self._lanes:
            return True
        delivery = Delivery(firing, len(self._lanes))
        refused = [(lane, failure) for lane in self._lanes if (failure := lane.put(delivery)) is not None]
        if not refused:
            return True
        self.counters.throttled += 1
        for lane, failure in refused:
            lane.settle(delivery, failure)
        return False

    def _settled(self, counters: ActionCounters, delivery: Delivery, failure: Failure | None) -> None:
        if failure is None:
            self.counters.success += 1
            counters.success += 1
        else:
            self.counters.failure += 1
            counters.failure += 1
            delivery.failures.append(failure)
        delivery.left -= 1
        if delivery.left == 0 and delivery.failures and self._error_lane is not None:
            document = msgspec.json.encode(self._describe(delivery.firing, delivery.failures))
            told = Delivery(msgspec.structs.replace(delivery.firing, output=document), 1)
            if (refused := self._error_lane.put(told)) is not None:
                self._error_lane.settle(told, refused)

    def _told(self, counters: ActionCounters, _: Delivery, failure: Failure | None) -> None:
        if failure is None:
            self.counters.error_action_success += 1
            counters.error_action_success += 1
        else:
            self.counters.error_action_failure += 1
            counters.error_action_failure += 1

    def _describe(self, firing: Firing, failures: list[Failure]) -> ErrorDocument:
        return ErrorDocument(
            rule_name=self._rule,
            topic=firing.message.topic,
            cloudwatch_trace_id=firing.event.trace_id or str(uuid4()),
            client_id=firing.message.origin.client_id or "n/a",
            base64_original_payload=b64encode(firing.message.payload).decode(),
            failures=failures,
        )
