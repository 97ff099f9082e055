"""A rule as a subscriber among the clients: where a message meets the WHERE clause."""

from base64 import b64encode
from itertools import count
from uuid import uuid4

from fogbank.clock import Clock, milliseconds
from fogbank.message import NO_PROPERTIES, Message, MessageProperties
from fogbank.rules.actions.base import Firing
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.executor import Executor
from fogbank.rules.faults import Faults
from fogbank.sql import Event, MqttProperties
from fogbank.trace import Trace

MAX_OUTPUT_BYTES = 128 * 1024
"""Of the result of SELECT (AWS IoT quotas, rules engine)."""

NO_MQTT = MqttProperties()
"""Of all messages without properties, which are most."""


class Events:
    """Turns messages into what SQL sees of them.

    The router hands one message to all rules that match before it turns to the next, so the last one is kept: its
    payload is parsed once, however many rules read it.
    """

    def __init__(self, account_id: str, clock: Clock) -> None:
        self._account_id = account_id
        self._clock = clock
        self._last: tuple[Message, Event] | None = None
        # Trace IDs look like UUIDs and are as unique, but count on: randomness for each message would cost more than
        # all the rest of this class, and nobody has to be kept from guessing them.
        self._traces = count()
        self._trace_prefix = str(uuid4())[:24]

    def of(self, message: Message) -> Event:
        """The event of `message`; the same one for the same message, in a row."""
        if self._last is None or self._last[0] is not message:
            origin = message.origin
            event = Event(
                topic=message.topic,
                payload=message.payload,
                client_id=origin.client_id,
                principal=origin.principal,
                timestamp_ms=milliseconds(self._clock),
                account_id=self._account_id,
                source_ip=origin.source_ip,
                trace_id=None if origin.client_id is None else f"{self._trace_prefix}{next(self._traces):012x}",
                mqtt=_mqtt(message.properties),
            )
            self._last = (message, event)
        return self._last[1]


def _mqtt(properties: MessageProperties) -> MqttProperties:
    if properties is NO_PROPERTIES:
        return NO_MQTT
    correlation = properties.correlation_data
    return MqttProperties(
        content_type=properties.content_type,
        response_topic=properties.response_topic,
        correlation_data=None if correlation is None else b64encode(correlation).decode(),
        format_indicator="UTF8_DATA" if properties.payload_format == 1 else "UNSPECIFIED_BYTES",
        user_properties=properties.user_properties,
    )


class RuleSubscriber:
    """Evaluates one rule for every message on its topics, and hands those that fire to its executor."""

    def __init__(
        self, compiled: CompiledRule, events: Events, executor: Executor, faults: Faults, trace: Trace
    ) -> None:
        self.rule = compiled.rule
        self.counters = executor.counters
        self._query = compiled.query
        self._events = events
        self._executor = executor
        self._faults = faults
        self._trace = trace

    def deliver(self, message: Message) -> None:
        """Evaluate at once; actions happen later. What goes wrong in here never reaches the router."""
        self.counters.matched += 1
        try:
            self._evaluate(message)
        except Exception as error:
            self.counters.broken += 1
            self._faults.report("evaluation failed", repr(error), error)
            self._emit("failure", message, f"the evaluation failed: {error!r}")
        else:
            self._faults.clear("evaluation failed")

    def _evaluate(self, message: Message) -> None:
        event = self._events.of(message)
        outcome = self._query.evaluate(event)
        if not outcome.fires:
            if self._trace.active:
                self._emit("skipped", message, self._query.explain(event).sentence)
            return
        output = outcome.output or b""
        if len(output) > MAX_OUTPUT_BYTES:
            self.counters.broken += 1
            reason = f"the result of SELECT has {len(output)} bytes; {MAX_OUTPUT_BYTES} are allowed"
            self._faults.report("result too large", reason)
            self._emit("failure", message, reason)
            return
        self._faults.clear("result too large")
        self.counters.fired += 1
        if not self._executor.submit(Firing(message, event, output)):
            self._emit("failure", message, "queue full: the actions of this rule are slower than its messages")
        elif self._trace.active:
            self._emit("success", message, self._query.explain(event).sentence)

    def _emit(self, status: str, message: Message, reason: str) -> None:
        if self._trace.active:
            self._trace.emit(
                "rule",
                status,
                reason=reason,
                name=self.rule.name,
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
            )
