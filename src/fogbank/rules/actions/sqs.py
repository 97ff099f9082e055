"""The action `sqs`: send the result of SELECT to a queue.

Developer Guide, "SQS" rule action. FIFO queues are not supported there, nor here. What waits goes out by
SendMessageBatch.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused, text_of
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's SqsAction."""

    role_arn: str
    queue_url: str
    use_base64: bool = msgspec.field(default=False, name="useBase64")


class SqsAction(AwsBatchAction):
    """Sends messages to a queue."""

    kind = "sqs"
    title = "SqsAction"
    parameters = Parameters
    service = "sqs"
    complaint = "Failed to send message to SQS queue"
    most = batch_items = 10
    batch_bytes = 262_144

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.queue_url, parameters.role_arn)
        self._queue = self.template("queueUrl", parameters.queue_url)
        self._need = self._needed(parameters.queue_url) if self._queue.constant else None
        self._base64 = parameters.use_base64
        if self._queue.constant and parameters.queue_url.endswith(".fifo"):
            raise InvalidRequest(f'action "sqs": queueUrl {parameters.queue_url!r} is of a FIFO queue; rules take none')

    def plan(self, firing: Firing) -> Plan:
        queue = filled(self._queue, firing, "queueUrl", self.target)
        body = b64encode(firing.output).decode() if self._base64 else text_of(firing, self.complaint, queue)
        return Plan(queue, Items(queue, (body,)), self._need or self._needed(queue))

    def combine(self, group: str, items: list[str]) -> AwsCall:
        if len(items) == 1:
            return AwsCall("SendMessage", {"QueueUrl": group, "MessageBody": items[0]})
        entries = [{"Id": str(index), "MessageBody": body} for index, body in enumerate(items)]
        return AwsCall("SendMessageBatch", {"QueueUrl": group, "Entries": entries})

    def size(self, item: str) -> int:
        return len(item) if item.isascii() else len(item.encode())

    def refused(self, answer: Mapping[str, Any], items: list[str]) -> Mapping[int, Refused]:
        return {
            int(one["Id"]): Refused(one["Code"], one.get("Message") or one["Code"], not one["SenderFault"])
            for one in answer.get("Failed", ())
        }

    def _needed(self, queue: str) -> Need:
        """The queue's ARN from `https://sqs.{region}.amazonaws.com/{account}/{name}`; emulators have the same path."""
        parts = urlsplit(queue)
        labels = (parts.hostname or "").split(".")
        region = labels[1] if len(labels) > 3 and labels[0] == "sqs" else self._arns.region
        account, _, name = parts.path.strip("/").rpartition("/")
        arn = f"arn:{self._arns.partition}:sqs:{region}:{account or self._arns.account}:{name}"
        return Need("sqs:SendMessage", arn)
