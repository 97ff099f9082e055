"""The action `iotEvents`: send the result of SELECT to an input of AWS IoT Events, or of what speaks its API.

Developer Guide, "IoT Events" rule action. In batch mode the result is an array of at most ten elements, each a message
with an ID of its own; otherwise the rule may choose the ID.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused, pieces_of
from fogbank.rules.actions.base import ActionFailed, Context, Firing, Need, Plan, filled

MAX_BATCH = 10


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's IotEventsAction."""

    input_name: str
    role_arn: str
    message_id: str | None = None
    batch_mode: bool = False


class IotEventsAction(AwsBatchAction):
    """Puts messages to an input."""

    kind = "iotEvents"
    title = "IotEventsAction"
    parameters = Parameters
    service = "iotevents-data"
    complaint = "Failed to send to IoT Events input"
    most = batch_items = MAX_BATCH
    batch_bytes = 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.input_name, parameters.role_arn)
        if parameters.batch_mode and parameters.message_id is not None:
            raise InvalidRequest('action "iotEvents": messageId cannot be given in batchMode')
        self._input = self.template("inputName", parameters.input_name)
        self._id = self.optional("messageId", parameters.message_id)
        self._batch_mode = parameters.batch_mode

    def plan(self, firing: Firing) -> Plan:
        name = filled(self._input, firing, "inputName", self.target)
        pieces = pieces_of(firing, self.complaint, name) if self._batch_mode else [firing.output]
        if len(pieces) > MAX_BATCH:
            raise ActionFailed(
                f"{self.complaint}. In batch mode there are at most {MAX_BATCH} elements, these are {len(pieces)}",
                resource=name,
            )
        chosen = None if self._id is None else filled(self._id, firing, "messageId", name)
        messages = tuple({"messageId": chosen or str(uuid4()), "inputName": name, "payload": piece} for piece in pieces)
        need = Need("iotevents:BatchPutMessage", self._arns.of("iotevents", f"input/{name}"))
        return Plan(name, Items("", messages, chosen), need)

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        return AwsCall("BatchPutMessage", {"messages": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(item["payload"])

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        return refused_messages(answer.get("BatchPutMessageErrorEntries", ()), items)


def refused_messages(told: Any, items: list[dict[str, Any]]) -> dict[int, Refused]:
    """Which messages a BatchPutMessage did not take, from its error entries."""
    errors = {one.get("messageId"): one for one in told}
    return {
        index: Refused.of(error.get("errorCode"), error.get("errorMessage"))
        for index, item in enumerate(items)
        if (error := errors.get(item["messageId"])) is not None
    }
