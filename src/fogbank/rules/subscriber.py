"""A rule as a subscriber among the clients: where a message meets the WHERE clause."""

from base64 import b64encode
from itertools import count
from uuid import uuid4

from fogbank.clock import Clock, milliseconds
from fogbank.message import NO_PROPERTIES, Message, MessageProperties
from fogbank.rules.actions.base import Firing
from fogbank.rules.asking import Asking, Question
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.executor import Executor
from fogbank.rules.faults import Faults
from fogbank.rules.spool import Row
from fogbank.sql import UNDEFINED, Answers, Event, MqttProperties, Outcome, Outside
from fogbank.tasks import Tasks
from fogbank.trace import Trace

MAX_OUTPUT_BYTES = 128 * 1024
"""Of the result of SELECT (AWS IoT quotas, rules engine)."""

EVALUATION = "the statement"
TOO_LARGE = "result too large"
TOO_MANY_ASK = "queue of the statement"
"""What is at fault, in the log."""

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
            traced = message.origin.client_id is not None
            trace_id = f"{self._trace_prefix}{next(self._traces):012x}" if traced else None
            self._last = (message, self.again(message, milliseconds(self._clock), trace_id))
        return self._last[1]

    def again(self, message: Message, timestamp_ms: int, trace_id: str | None) -> Event:
        """The event of a message that came in an earlier process."""
        origin = message.origin
        return Event(
            topic=message.topic,
            payload=message.payload,
            client_id=origin.client_id,
            principal=origin.principal,
            timestamp_ms=timestamp_ms,
            account_id=self._account_id,
            source_ip=origin.source_ip,
            trace_id=trace_id,
            mqtt=_mqtt(message.properties),
        )


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
        self,
        compiled: CompiledRule,
        events: Events,
        executor: Executor,
        faults: Faults,
        trace: Trace,
        *,
        outside: Outside | None = None,
        tasks: Tasks | None = None,
    ) -> None:
        """`outside` answers, and `tasks` runs, what the rule asks; they are needed where it asks anything."""
        self.rule = compiled.rule
        self.counters = executor.counters
        self._query = compiled.query
        self._version = compiled.query.version
        self._events = events
        self._executor = executor
        self._faults = faults
        self._trace = trace
        self._outside = outside if compiled.asks else None
        self._asking: Asking | None = None
        if compiled.query.asks:
            assert tasks is not None, "a statement that asks needs tasks to wait in"
            self._asking = Asking(compiled.query, self._answered, tasks, compiled.rule.name)

    def deliver(self, message: Message) -> None:
        """Evaluate at once, or once the world has answered; actions happen later.

        What goes wrong in here never reaches the router.
        """
        self.counters.matched += 1
        try:
            event = self._events.of(message)
            if self._asking is None:
                answers = None if self._outside is None else self._answers()
                self._conclude(message, event, self._query.evaluate(event), answers, 0)
            else:
                self._ask(self._asking, message, event, self._executor.owe(message, event))
        except Exception as error:
            self._broken(message, error)

    def has_room(self, size: int) -> bool:
        """Port Debtor."""
        return self._executor.has_room(size) and (self._asking is None or self._asking.has_room(size))

    def resume(self, row: Row, number: int) -> None:
        """Port Debtor. What fired, fired; what is still to be evaluated, or was by another statement, is now."""
        self.counters.resumed += 1
        message = row.message()
        try:
            event = self._events.again(message, row.timestamp_ms, row.trace_id)
            output = self._executor.kept_output(row)
            if output is not None:
                self._executor.submit(Firing(message, event, output, self._answers()), number)
            elif self._asking is None:
                self._conclude(message, event, self._query.evaluate(event), self._answers(), number)
            else:
                self._ask(self._asking, message, event, number)
        except Exception as error:
            self._broken(message, error, number)

    def _ask(self, asking: Asking, message: Message, event: Event, row: int) -> None:
        answers = self._answers()
        assert answers is not None, "a statement that asks is made with somebody to ask"
        if asking.put(Question(message, event, answers, row)):
            self._faults.clear(TOO_MANY_ASK)
            return
        self._executor.release(row)
        self.counters.throttled += 1
        reason = "too many messages wait for what the statement asks; newer ones are lost"
        self._faults.report(TOO_MANY_ASK, reason)
        self._emit("failure", message, f"queue full: {reason}")

    def _answered(self, question: Question) -> None:
        message, outcome = question.message, question.outcome
        try:
            if outcome is None:
                assert question.error is not None, "it has ended either way"
                raise question.error
            self._conclude(message, question.event, outcome, question.answers, question.row)
        except Exception as error:
            self._broken(message, error, question.row)

    def _answers(self) -> Answers | None:
        return None if self._outside is None else Answers(self._outside, self._version)

    def _conclude(
        self, message: Message, event: Event, outcome: Outcome, answers: Answers | None, row: int = 0
    ) -> None:
        """Do what an evaluation came to. `row` is where the message is kept already."""
        if event.value(self._version) is UNDEFINED and message.payload:
            self.counters.unparsed += 1
        if outcome.failure is not None:
            self._fail(message, EVALUATION, outcome.failure, row)
            return
        self._faults.clear(EVALUATION)
        if not outcome.fires:
            if row:
                self._executor.release(row)
            if self._trace.active:
                self._emit("skipped", message, self._query.explain(event, answers).sentence)
            return
        output = outcome.output or b""
        if len(output) > MAX_OUTPUT_BYTES:
            reason = f"the result of SELECT has {len(output)} bytes; {MAX_OUTPUT_BYTES} are allowed"
            self._fail(message, TOO_LARGE, reason, row)
            return
        self._faults.clear(TOO_LARGE)
        self.counters.fired += 1
        if not self._executor.submit(Firing(message, event, output, answers), row):
            self._emit("failure", message, "queue full: the actions of this rule are slower than its messages")
        elif self._trace.active:
            self._emit("success", message, self._query.explain(event, answers).sentence)

    def _broken(self, message: Message, error: Exception, row: int = 0) -> None:
        """A fault of ours, with its traceback."""
        self._fail(message, EVALUATION, f"the evaluation failed: {error!r}", row, error)

    def _fail(self, message: Message, what: str, reason: str, row: int, error: Exception | None = None) -> None:
        """The rule ends here for this message, without any action: no error action either (Developer Guide)."""
        self._executor.release(row)
        self.counters.broken += 1
        self._faults.report(what, reason, error)
        self._emit("failure", message, reason)

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
