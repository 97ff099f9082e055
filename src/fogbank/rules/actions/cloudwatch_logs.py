"""The action `cloudwatchLogs`: write the result of SELECT to a log group.

Developer Guide, "CloudWatch Logs" rule action. In batch mode the result is an array of events, each with `timestamp` in
milliseconds and `message`; otherwise it is the message of one event at the time at which it came. The log stream bears
the name of the rule (AWS does not document its own) and is made when it is missing.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.ports import OutboundError
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused, text_of
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled

EVENT_OVERHEAD = 26
"""Bytes that each event counts on top of its message (API Reference, PutLogEvents)."""


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's CloudwatchLogsAction."""

    role_arn: str
    log_group_name: str
    batch_mode: bool = False


class LogEvent(msgspec.Struct, frozen=True):
    """An event as batch mode has it, and PutLogEvents."""

    timestamp: int
    message: str


class CloudwatchLogsAction(AwsBatchAction):
    """Puts log events."""

    kind = "cloudwatchLogs"
    title = "CloudwatchLogsAction"
    parameters = Parameters
    service = "logs"
    complaint = "Failed to write to CloudWatch log group"
    most = 1000
    batch_items = 10_000
    batch_bytes = 1_048_576

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.log_group_name, parameters.role_arn)
        self._group = self.template("logGroupName", parameters.log_group_name)
        self._batch_mode = parameters.batch_mode
        self._stream = context.rule

    def plan(self, firing: Firing) -> Plan:
        group = filled(self._group, firing, "logGroupName", self.target)
        if self._batch_mode:
            events = self._events(firing, group)
        else:
            events = [LogEvent(firing.event.timestamp_ms, text_of(firing, self.complaint, group))]
        need = Need("logs:PutLogEvents", self._arns.of("logs", f"log-group:{group}:log-stream:{self._stream}"))
        return Plan(group, Items(group, tuple(events)), need)

    def _events(self, firing: Firing, group: str) -> list[LogEvent]:
        try:
            return msgspec.json.decode(firing.output, type=list[LogEvent])
        except msgspec.DecodeError as error:
            raise ActionFailed(
                f"{self.complaint}. In batch mode the payload must be an array of objects with timestamp and message: "
                f"{error}",
                resource=group,
            ) from error

    async def _send(self, group: str, items: list[LogEvent]) -> Mapping[int, Refused | OutboundError]:
        """Once more after making the stream, where that was missing."""
        results = await super()._send(group, items)
        first = results.get(0)
        if not (isinstance(first, OutboundError) and first.code == "ResourceNotFoundException"):
            return results
        try:
            await self._aws.call(
                self.service, "CreateLogStream", {"logGroupName": group, "logStreamName": self._stream}
            )
        except OutboundError as error:
            if error.code != "ResourceAlreadyExistsException":
                return dict.fromkeys(range(len(items)), error)
        return await super()._send(group, items)

    def combine(self, group: str, items: list[LogEvent]) -> AwsCall:
        # They must come in the order of time (API Reference, PutLogEvents); `refused` relies on the same order.
        events = [msgspec.to_builtins(event) for event in sorted(items, key=_time)]
        return AwsCall("PutLogEvents", {"logGroupName": group, "logStreamName": self._stream, "logEvents": events})

    def size(self, item: LogEvent) -> int:
        return EVENT_OVERHEAD + len(item.message.encode())

    def refused(self, answer: Mapping[str, Any], items: list[LogEvent]) -> Mapping[int, Refused]:
        told = answer.get("rejectedLogEventsInfo") or {}
        order = sorted(range(len(items)), key=lambda index: items[index].timestamp)
        old = max(told.get("tooOldLogEventEndIndex", 0), told.get("expiredLogEventEndIndex", 0))
        new = told.get("tooNewLogEventStartIndex", len(items))
        refusals = {index: Refused("TooOld", "the log event is too old") for index in order[:old]}
        return refusals | {index: Refused("TooNew", "the log event is too far in the future") for index in order[new:]}


def _time(event: LogEvent) -> int:
    return event.timestamp
