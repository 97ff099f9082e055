"""The action `kinesis`: write the result of SELECT to a stream of Kinesis Data Streams.

Developer Guide, "Kinesis Data Streams" rule action. Without a partition key records are spread at random. What waits
goes out by PutRecords.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec

from fogbank.rules.actions.aws import AwsBatchAction, AwsCall, Items, Refused
from fogbank.rules.actions.base import Context, Firing, Need, Plan, filled


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's KinesisAction."""

    role_arn: str
    stream_name: str
    partition_key: str | None = None


class KinesisAction(AwsBatchAction):
    """Puts records into a stream."""

    kind = "kinesis"
    title = "KinesisAction"
    parameters = Parameters
    service = "kinesis"
    complaint = "Failed to write to Kinesis stream"
    most = batch_items = 500
    batch_bytes = 4 * 1024 * 1024

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(context, parameters.stream_name, parameters.role_arn)
        self._stream = self.template("streamName", parameters.stream_name)
        self._partition_key = self.optional("partitionKey", parameters.partition_key)

    def plan(self, firing: Firing) -> Plan:
        stream = filled(self._stream, firing, "streamName", self.target)
        key = (
            str(uuid4()) if self._partition_key is None else filled(self._partition_key, firing, "partitionKey", stream)
        )
        record = {"Data": firing.output, "PartitionKey": key}
        return Plan(
            stream, Items(stream, (record,)), Need("kinesis:PutRecord", self._arns.of("kinesis", f"stream/{stream}"))
        )

    def combine(self, group: str, items: list[dict[str, Any]]) -> AwsCall:
        if len(items) == 1:
            return AwsCall("PutRecord", {"StreamName": group, **items[0]})
        return AwsCall("PutRecords", {"StreamName": group, "Records": items})

    def size(self, item: dict[str, Any]) -> int:
        return len(item["Data"]) + len(item["PartitionKey"].encode())

    def refused(self, answer: Mapping[str, Any], items: list[dict[str, Any]]) -> Mapping[int, Refused]:
        if not answer.get("FailedRecordCount"):
            return {}
        return {
            index: Refused.of(record["ErrorCode"], record.get("ErrorMessage"))
            for index, record in enumerate(answer["Records"])
            if record.get("ErrorCode")
        }
