"""The action `firehose`: send the result of SELECT to a delivery stream.

Developer Guide, "Data Firehose" rule action. A separator is appended to each record. In batch mode the result is an
array, each element of it a record. What waits goes out by PutRecordBatch.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused, pieces_of
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled

SEPARATORS = ("\n", "\t", "\r\n", ",")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's FirehoseAction."""

    role_arn: str
    delivery_stream_name: str
    separator: str | None = None
    batch_mode: bool = False


class FirehoseAction(AwsBatchAction):
    """Puts records into a delivery stream."""

    kind = "firehose"
    title = "FirehoseAction"
    parameters = Parameters
    service = "firehose"
    complaint = "Failed to send to delivery stream"
    most = batch_items = 500
    batch_bytes = 4 * 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.delivery_stream_name, parameters.role_arn)
        if parameters.separator is not None and parameters.separator not in SEPARATORS:
            told = ", ".join(map(repr, SEPARATORS))
            raise InvalidRequest(f'action "firehose": separator must be one of {told}, it is {parameters.separator!r}')
        self._stream = self.template("deliveryStreamName", parameters.delivery_stream_name)
        self._separator = (parameters.separator or "").encode()
        self._batch_mode = parameters.batch_mode

    def plan(self, firing: Firing) -> Plan:
        stream = filled(self._stream, firing, "deliveryStreamName", self.target)
        pieces = pieces_of(firing, self.complaint, stream) if self._batch_mode else [firing.output]
        records = tuple({"Data": piece + self._separator} for piece in pieces)
        verb = "PutRecordBatch" if self._batch_mode else "PutRecord"
        need = Need(f"firehose:{verb}", self._arns.of("firehose", f"deliverystream/{stream}"))
        return Plan(stream, Items(stream, records), need)

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        if len(items) == 1:
            return AwsCall("PutRecord", {"DeliveryStreamName": group, "Record": items[0]})
        return AwsCall("PutRecordBatch", {"DeliveryStreamName": group, "Records": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(item["Data"])

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        if not answer.get("FailedPutCount"):
            return {}
        return {
            index: Refused.of(one["ErrorCode"], one.get("ErrorMessage"))
            for index, one in enumerate(answer["RequestResponses"])
            if one.get("ErrorCode")
        }
