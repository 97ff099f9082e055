"""The way out to Kafka: a producer for each cluster and set of client properties, kept while it is used.

The names of the properties are those of Kafka's Java client, as the rule action has them (Developer Guide, "Apache
Kafka" rule action); here they are told to aiokafka. What it cannot do is refused by name.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fogbank.outbound.kafka_tls import tls_context
from fogbank.ports import KafkaRecord, OutboundError

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

MAX_PRODUCERS = 16
"""Producers kept at once; the one unused for longest goes first."""

TIMEOUT_MS = 10_000
"""For a request, where `request.timeout.ms` does not say otherwise."""

_ACKS: Mapping[str, int | str] = {"0": 0, "1": 1, "-1": "all", "all": "all"}
_PROTOCOLS = ("SSL", "SASL_SSL", "PLAINTEXT", "SASL_PLAINTEXT")
"""The last two are not AWS's; brokers without TLS are for laptops and tests."""
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")
"""All but the first two need the package cramjam, which aiokafka asks for by name."""
_MECHANISMS = {
    "PLAIN": ("sasl.plain.username", "sasl.plain.password"),
    "SCRAM-SHA-256": ("sasl.scram.username", "sasl.scram.password"),
    "SCRAM-SHA-512": ("sasl.scram.username", "sasl.scram.password"),
}


class KafkaProducers:
    """Sends records. Port KafkaTargets."""

    def __init__(self) -> None:
        self._producers: OrderedDict[frozenset[tuple[str, str]], AIOKafkaProducer] = OrderedDict()
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        while self._producers:
            _, producer = self._producers.popitem()
            await producer.stop()

    async def send(
        self, properties: Mapping[str, str], records: Sequence[KafkaRecord]
    ) -> Sequence[OutboundError | None]:
        """Port KafkaTargets."""
        try:
            producer = await self._producer(properties)
        except OutboundError as error:
            return [error] * len(records)
        return await asyncio.gather(*(_send(producer, record) for record in records))

    async def _producer(self, properties: Mapping[str, str]) -> "AIOKafkaProducer":
        key = frozenset(properties.items())
        async with self._opening:
            if key not in self._producers:
                self._producers[key] = await _start(properties)
                while len(self._producers) > MAX_PRODUCERS:
                    _, unused = self._producers.popitem(last=False)
                    await unused.stop()
            self._producers.move_to_end(key)
            return self._producers[key]


async def _start(properties: Mapping[str, str]) -> "AIOKafkaProducer":
    options = await asyncio.to_thread(_options, properties)
    from aiokafka import AIOKafkaProducer
    from aiokafka.errors import KafkaError

    where = properties["bootstrap.servers"]
    try:
        producer = AIOKafkaProducer(**options)
    except (ValueError, RuntimeError) as error:
        raise OutboundError(f"Kafka at {where}: {error}", code="BadRequest") from error
    try:
        async with asyncio.timeout(options["request_timeout_ms"] / 1000):
            await producer.start()
    except (KafkaError, OSError, TimeoutError) as error:
        await producer.stop()
        reason = str(error) or type(error).__name__
        raise OutboundError(
            f"Kafka at {where} cannot be reached: {reason}", code="Connection", transient=True
        ) from error
    return producer


async def _send(producer: "AIOKafkaProducer", record: KafkaRecord) -> OutboundError | None:
    from aiokafka.errors import KafkaError

    try:
        await producer.send_and_wait(
            record.topic,
            record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
    except KafkaError as error:
        reason = str(error) or type(error).__name__
        return OutboundError(reason, code=type(error).__name__, transient=error.retriable)
    except (AssertionError, ValueError, TypeError) as error:
        return OutboundError(str(error) or "the record is not valid", code="BadRequest")
    return None


def _options(properties: Mapping[str, str]) -> dict[str, Any]:
    """What aiokafka is told. On a thread: the library and certificates are loaded here. Raises OutboundError."""
    import aiokafka  # noqa: F401

    protocol = _one_of(properties, "security.protocol", _PROTOCOLS, "PLAINTEXT")
    compression = _one_of(properties, "compression.type", _COMPRESSIONS, "none")
    options: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in properties["bootstrap.servers"].split(",")],
        "client_id": properties.get("client.id", "fogbank"),
        "acks": _ACKS[_one_of(properties, "acks", tuple(_ACKS), "1")],
        "security_protocol": protocol,
        "compression_type": None if compression == "none" else compression,
        "request_timeout_ms": _number(properties, "request.timeout.ms", TIMEOUT_MS),
        "linger_ms": _number(properties, "linger.ms", 0),
        "max_batch_size": _number(properties, "batch.size", 16384),
        "max_request_size": _number(properties, "max.request.size", 1048576),
    }
    if protocol.endswith("SSL"):
        options["ssl_context"] = tls_context(properties)
    if protocol.startswith("SASL"):
        mechanism = _one_of(properties, "sasl.mechanism", tuple(_MECHANISMS), "PLAIN")
        username, password = _MECHANISMS[mechanism]
        options |= {
            "sasl_mechanism": mechanism,
            "sasl_plain_username": properties.get(username),
            "sasl_plain_password": properties.get(password),
        }
    return options


def _one_of(properties: Mapping[str, str], name: str, known: Sequence[str], default: str) -> str:
    value = properties.get(name) or default
    if value not in known:
        raise OutboundError(f"{name} {value!r} is not supported; supported are: {', '.join(known)}", code="BadRequest")
    return value


def _number(properties: Mapping[str, str], name: str, default: int) -> int:
    value = properties.get(name, "") or str(default)
    if not value.isascii() or not value.isdigit():
        raise OutboundError(f"{name} {value!r} is not a number", code="BadRequest")
    return int(value)
