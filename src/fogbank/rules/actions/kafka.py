"""The action `kafka`: send the result of SELECT to a topic of Apache Kafka.

Developer Guide, "Apache Kafka" rule action. `destinationArn` names a destination in a VPC there; here the brokers are
reached from where the platform runs, and it is kept without meaning. Client properties may hold templates, such as the
passwords that `get_secret` fetches.
"""

from collections.abc import Mapping, Sequence

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.ports import KafkaRecord, OutboundError
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Plan,
    Results,
    SingleAction,
    failure,
    filled,
)
from fogbank.rules.templates import Template

MAX_HEADERS = 100

SUPPORTED = frozenset(
    {
        "acks",
        "batch.size",
        "bootstrap.servers",
        "client.id",
        "compression.type",
        "key.serializer",
        "linger.ms",
        "max.request.size",
        "request.timeout.ms",
        "sasl.mechanism",
        "sasl.plain.password",
        "sasl.plain.username",
        "sasl.scram.password",
        "sasl.scram.username",
        "security.protocol",
        "ssl.endpoint.identification.algorithm",
        "ssl.key.password",
        "ssl.keystore",
        "ssl.keystore.password",
        "ssl.truststore",
        "ssl.truststore.password",
        "value.serializer",
    }
)
"""Client properties that are heeded. What AWS has beyond them (Kerberos, `buffer.memory`) is refused by name."""

_SERIALIZERS = "org.apache.kafka.common.serialization."


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The API's KafkaActionHeader."""

    key: str
    value: str


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's KafkaAction."""

    destination_arn: str
    topic: str
    client_properties: dict[str, str]
    key: str | None = None
    partition: str | None = None
    headers: tuple[Header, ...] = ()


class Sending(msgspec.Struct, frozen=True):
    """A record, and the cluster it goes to."""

    properties: Mapping[str, str]
    record: KafkaRecord


class KafkaAction(SingleAction):
    """Sends records. The client gathers them into batches by itself, so many are handed over at once."""

    kind = "kafka"
    title = "KafkaAction"
    parameters = Parameters
    most = 100

    def __init__(self, parameters: Parameters, context: Context) -> None:
        super().__init__(parameters.topic, role=None)
        self._kafka = context.outside(self.kind).kafka
        _check(parameters)
        self._topic = context.template(self.kind, "topic", parameters.topic)
        self._key = context.optional(self.kind, "key", parameters.key)
        self._partition = context.optional(self.kind, "partition", parameters.partition)
        self._headers: list[tuple[Template, Template]] = [
            (
                context.template(self.kind, "headers.key", one.key),
                context.template(self.kind, "headers.value", one.value),
            )
            for one in parameters.headers
        ]
        self._properties = {
            name: context.template(self.kind, f"clientProperties.{name}", value)
            for name, value in parameters.client_properties.items()
            if not name.endswith(".serializer")
        }

    def plan(self, firing: Firing) -> Plan:
        topic = filled(self._topic, firing, "topic", self.target)
        partition = "" if self._partition is None else firing.render(self._partition)
        if partition and not (partition.isascii() and partition.isdigit() and len(partition) < 10):
            raise ActionFailed(f"partition must be a number, it is {partition!r}", resource=topic)
        record = KafkaRecord(
            topic,
            firing.output,
            None if self._key is None else firing.render(self._key).encode(),
            int(partition) if partition else None,
            tuple((firing.render(key), firing.render(value).encode()) for key, value in self._headers),
        )
        properties = {name: firing.render(template) for name, template in self._properties.items()}
        return Plan(topic, Sending(properties, record))

    async def perform(self, plans: Sequence[Plan]) -> Results:
        results: list[ActionFailed | None] = [None] * len(plans)
        clusters: dict[frozenset[tuple[str, str]], list[int]] = {}
        for index, plan in enumerate(plans):
            clusters.setdefault(frozenset(plan.request.properties.items()), []).append(index)
        for indexes in clusters.values():
            properties = plans[indexes[0]].request.properties
            errors = await self._kafka.send(properties, [plans[index].request.record for index in indexes])
            for index, error in zip(indexes, errors, strict=True):
                results[index] = self._failed(error, plans[index].resource)
        return results

    @staticmethod
    def _failed(error: OutboundError | None, resource: str) -> ActionFailed | None:
        return None if error is None else failure("Failed to send to Kafka", error, resource)


def _check(parameters: Parameters) -> None:
    properties = parameters.client_properties
    unknown = sorted(set(properties) - SUPPORTED)
    if unknown:
        raise InvalidRequest(f'action "kafka": clientProperties {", ".join(unknown)} are not supported')
    if not properties.get("bootstrap.servers"):
        raise InvalidRequest('action "kafka": clientProperties must have bootstrap.servers')
    for name in ("key.serializer", "value.serializer"):
        serializer = properties.get(name, f"{_SERIALIZERS}StringSerializer").removeprefix(_SERIALIZERS)
        # Both leave bytes as they are, which is what the result of SELECT is.
        if serializer not in ("StringSerializer", "ByteBufferSerializer"):
            raise InvalidRequest(f'action "kafka": {name} must be StringSerializer or ByteBufferSerializer')
    if len(parameters.headers) > MAX_HEADERS:
        raise InvalidRequest(f'action "kafka": there are at most {MAX_HEADERS} headers')
