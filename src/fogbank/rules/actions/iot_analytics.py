"""The action `iotAnalytics`: send the result of SELECT to a channel of AWS IoT Analytics, or of what speaks its API.

Developer Guide, "IoT Analytics" rule action. In batch mode the result is an array, each element of it a message, which
goes out by the hundred.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused, pieces_of
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled
from fogbank.rules.actions.iot_events import refused_messages


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's IotAnalyticsAction. `channelArn` is deprecated there."""

    channel_name: str | None = None
    channel_arn: str | None = None
    role_arn: str | None = None
    batch_mode: bool = False


class IotAnalyticsAction(AwsBatchAction):
    """Puts messages to a channel."""

    kind = "iotAnalytics"
    title = "IotAnalyticsAction"
    parameters = Parameters
    service = "iotanalytics"
    complaint = "Failed to send to IoT Analytics channel"
    most = batch_items = 100
    batch_bytes = 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        name = parameters.channel_name or (parameters.channel_arn or "").rpartition("/")[2]
        if not name:
            raise InvalidRequest('action "iotAnalytics": channelName is missing')
        super().__init__(context, name, parameters.role_arn)
        self._channel = self.template("channelName", name)
        self._batch_mode = parameters.batch_mode

    def plan(self, firing: Firing) -> Plan:
        channel = filled(self._channel, firing, "channelName", self.target)
        pieces = pieces_of(firing, self.complaint, channel) if self._batch_mode else [firing.output]
        messages = tuple({"messageId": str(uuid4()), "payload": piece} for piece in pieces)
        need = Need("iotanalytics:BatchPutMessage", self._arns.of("iotanalytics", f"channel/{channel}"))
        return Plan(channel, Items(channel, messages), need)

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        return AwsCall("BatchPutMessage", {"channelName": group, "messages": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(item["payload"])

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        return refused_messages(answer.get("batchPutMessageErrorEntries", ()), items)
