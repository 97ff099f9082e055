"""What a rule owes for messages that were acknowledged: their actions, which are to happen even if the process dies.

A row holds the message and what SELECT made of it. So what fired stays fired, and every further try sends the same,
with the same `newuuid()`. The actions are those of the rule as it is when the row is taken up again. Where the
statement has been replaced since, the result of the old one means nothing to them: the message is evaluated anew, as if
it had come after the replacement. The same goes for a message that the world had to be asked about, and for which there
is no result yet.

Which actions are done is not written down, and those that are may happen again: at least once.
"""

from functools import partial
from hashlib import blake2b

import msgspec

from fogbank.message import NO_PROPERTIES, Message, MessageProperties, Origin
from fogbank.ports import Spool
from fogbank.rules.compiled import CompiledRule
from fogbank.sql import Event


class Row(msgspec.Struct, frozen=True, array_like=True):
    """A message that a rule owes actions for. New fields go to the end, with defaults."""

    statement: bytes
    """The digest of the statement that it was kept under."""
    evaluated: bool
    """Whether it fired; else that is not known yet."""
    output: bytes | None
    """The result of SELECT, where that is not the payload itself."""
    timestamp_ms: int
    trace_id: str | None
    topic: str
    payload: bytes
    qos: int
    retain: bool
    will: bool
    principal: str
    client_id: str | None
    source_ip: str | None
    hops: int
    properties: MessageProperties | None
    expires_at: float | None

    def message(self) -> Message:
        """As it came."""
        return Message(
            self.topic,
            self.payload,
            self.qos,
            self.retain,
            Origin(self.principal, self.client_id, self.source_ip, self.hops),
            self.will,
            NO_PROPERTIES if self.properties is None else self.properties,
            self.expires_at,
        )


class RuleSpool:
    """The rows of one rule."""

    def __init__(self, spool: Spool, compiled: CompiledRule) -> None:
        self.is_needed = any(action.durable for action in compiled.actions)
        """Whether messages are to be kept at all. Not where no action outlives a process that lives on, either: what is
        republished at QoS 0 may be lost anyhow."""
        self._spool = spool
        self._rule = compiled.rule.name
        payload = compiled.rule.payload
        statement = f"{payload.aws_iot_sql_version}\0{payload.sql}"
        self._statement = blake2b(statement.encode(), digest_size=8).digest()

    def keep(self, message: Message, event: Event, output: bytes | None) -> int:
        """Keep a message before it is acknowledged; the number of its row. Without `output` it is still to be
        evaluated."""
        return self._spool.keep(self._rule, partial(self._encode, message, event, output))

    def _encode(self, message: Message, event: Event, output: bytes | None) -> bytes:
        origin, properties = message.origin, message.properties
        row = Row(
            self._statement,
            output is not None,
            None if output == message.payload else output,
            event.timestamp_ms,
            event.trace_id,
            message.topic,
            message.payload,
            message.qos,
            message.retain,
            message.will,
            origin.principal,
            origin.client_id,
            origin.source_ip,
            origin.hops,
            None if properties is NO_PROPERTIES else properties,
            message.expires_at,
        )
        return msgspec.msgpack.encode(row)

    def done(self, number: int) -> None:
        """All actions were done or given up, and the error action is through as well."""
        self._spool.done(self._rule, number)

    def output(self, row: Row) -> bytes | None:
        """The result of SELECT that actions are to get; None where the row has to be evaluated."""
        if not row.evaluated or row.statement != self._statement:
            return None
        return row.payload if row.output is None else row.output
