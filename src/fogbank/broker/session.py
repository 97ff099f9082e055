"""A session: what the server keeps for a client ID, connected or not. (MQTT 3.1.1, 3.1.2.4; MQTT 5.0, 4.1)

Its subscriptions, the messages it has not acknowledged, and those that wait for it. Those of a persistent session are
on disk before their publisher is told that they arrived (`store`); while it is away they are there alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

import msgspec

from fogbank.broker.aliases import Aliases
from fogbank.broker.flow import HIGH_QUEUE, HIGH_WATER
from fogbank.broker.inflight import Inflight, identifier
from fogbank.broker.journal import Journal
from fogbank.broker.line import Line
from fogbank.broker.quotas import Quotas
from fogbank.broker.rates import AccountRates
from fogbank.broker.runs import Run
from fogbank.broker.store import RELEASED, SENT, WAITING, Store
from fogbank.broker.subscriptions import Options
from fogbank.clock import Clock
from fogbank.mqtt import Version
from fogbank.mqtt.packets import Pubrel
from fogbank.tasks import Tasks

Wanted = Callable[[str], bool]
"""Decides on a topic."""

PAGE = 1000
"""Runs that are read from disk at a time."""
READ_AHEAD: Final = 500
"""Messages in memory below which more are read."""
IN_MEMORY: Final = 5000
"""Messages of a persistent session in memory above which further ones stay on disk until their turn comes."""

MOST_ADDED = 10
"""Bytes by which a packet grows at most on its way out: expiry (5), topic alias (3), and one of each of two lengths."""

QOS_2: Final = 0x04
_V5 = Version.V5


class Surroundings(msgspec.Struct):
    """What all sessions of a broker share."""

    quotas: Quotas
    clock: Clock
    journal: Journal
    tasks: Tasks
    rates: AccountRates | None = None
    dropped: int = 0
    """Messages lost to full queues, slow connections and packet sizes, of all sessions together."""


class Session:
    """The state of one client ID."""

    __slots__ = (
        "_around",
        "_reading",
        "aliases",
        "client_id",
        "disconnected_at",
        "dropped",
        "expiry",
        "id",
        "inflight",
        "largest",
        "line",
        "particular",
        "queue",
        "queued",
        "queued_bytes",
        "received",
        "sources",
        "store",
        "subscriptions",
        "version",
        "wanted",
        "window",
    )

    def __init__(self, client_id: str, version: int, id_: str, expiry: int, around: Surroundings) -> None:
        self.client_id = client_id
        self.version = version
        self.id = id_
        """The sessionIdentifier of lifecycle events."""
        self.expiry = expiry
        """Seconds that it outlives its connection. 0: it ends with it."""
        self.line: Line | None = None
        """The way to the client, while it is connected."""
        self.wanted: Wanted | None = None
        """Whether policies allow a topic's messages to reach the client, while it is connected."""
        self.disconnected_at = inf
        """On the wall clock; infinite while it is connected."""
        self.subscriptions: dict[str, Options] = {}
        self.inflight = Inflight()
        self.queue: deque[Run] | tuple[()] = ()
        """What waits in memory: for acknowledgements to make room, mostly. A deque, which is large, once any has."""
        self.queued = 0
        self.queued_bytes = 0
        self.received: set[int] = set()
        """Identifiers of QoS 2 messages that have been taken from the client, and not let go by PUBREL."""
        self.dropped = 0
        """Messages lost to a full queue or a slow connection."""
        self.store: Store | None = None
        """Where messages are kept on disk; None for a session that ends with its connection."""
        self.sources: list[Callable[[], None]] = []
        """Called when there is room for more: what waits elsewhere, with the groups that it is a member of."""
        self.window = around.quotas.inflight
        """Unacknowledged messages that the client takes."""
        self.largest = 0
        """Bytes of a packet that the client takes at most; 0: of any."""
        self.aliases: Aliases | None = None
        """The topic aliases that stand for topics towards the client; None where it wants none."""
        self.particular = False
        """Whether packets have to be looked at one by one: there is a largest packet, or there are aliases."""
        self._around = around
        self._reading = False

    def __repr__(self) -> str:
        return f"session of {self.client_id!r}"

    def may_receive(self, topic: str) -> bool:
        """Whether policies allow `iot:Receive`; while offline that is left to the moment of delivery."""
        return self.wanted is None or self.wanted(topic)

    # --- messages out ---

    def send_at_most_once(self, run: Run) -> None:
        """Send messages of QoS 0; they are lost where the client is away or cannot keep up."""
        line = self.line
        if line is None:
            return
        if line.choked:
            self._lose(run.count)
            return
        if run.version != self.version:
            run = run.in_form(self.version)
        if self.particular or run.expires_at is not None:
            if not self._takes(run):
                return
            run = self._dressed(run)
        line.write(run.frames)

    def send(self, run: Run) -> None:
        """Send messages of QoS 1 or one of QoS 2, or let them wait their turn."""
        if run.version != self.version:
            run = run.in_form(self.version)
        line = self.line
        store = self.store
        if store is not None:
            room = self._room(run, store.messages, store.size)
            if line is None and (rates := self._around.rates) is not None:
                room = min(room, rates.queue(self.client_id, run.count))
            if run.count > room:
                self._lose(run.count - room)
                if not room:
                    return
                run = run.first(room)
            in_memory = line is not None and self.queued < IN_MEMORY and not store.behind
            run = store.keep(run, in_memory=in_memory)
            if not in_memory:
                if line is not None:
                    self.pump()
                return
        if line is None:
            return
        if not self.queue and not line.full and run.count <= self.window - self.inflight.count:
            self._write(line, run)
            return
        self._enqueue(run)
        if self.inflight.count < self.window:
            self.pump()
        if self.queued > HIGH_QUEUE:
            line.queue_grown()

    def send_at_once(self, run: Run) -> int | None:
        """Send a single message past all that waits, and keep it nowhere; its packet identifier, 0 at QoS 0.

        None: the client is away, takes no packet of this size, or cannot take one now.
        """
        line = self.line
        if line is None or line.choked:
            return None
        run = run.in_form(self.version)
        if not self._takes(run):
            return None
        if not run.qos:
            line.write(self._dressed(run).frames)
            return 0
        if line.full or self.inflight.count >= self.window:
            return None
        if self.store is not None and self.store.loaded < 0:
            return None  # identifiers from before a restart are still to be read: it might be given one of them
        sent = self.inflight.send(run)
        one = sent[0] if isinstance(sent, list) else sent
        line.write(self._dressed(one).frames)
        return identifier(one)

    def _write(self, line: Line, run: Run) -> None:
        """Send a run on its way."""
        if run.frames[0] & QOS_2:
            self._write_exactly_once(line, run)
            return
        if self.particular or run.expires_at is not None:
            if not self._takes(run):
                self._done(run, run.count)
                return
            sent = self.inflight.send(run)
            for one in sent if isinstance(sent, list) else (sent,):
                line.write(self._dressed(one).frames)
            return
        sent = self.inflight.send(run)
        line.write(b"".join([one.frames for one in sent]) if isinstance(sent, list) else sent.frames)

    def _write_exactly_once(self, line: Line, run: Run) -> None:
        """The identifier of a QoS 2 message must be on disk before the client knows it, or it might come twice."""
        if not self._takes(run):
            self._done(run, 1)
            return
        sent = self.inflight.send_one(run)
        if self.store is None:
            line.write(self._dressed(sent).frames)
            return
        self.store.progress(sent, SENT)
        self._when_durable(line, lambda: self._dressed(sent).frames)

    def _when_durable(self, line: Line, data: Callable[[], bytes | bytearray]) -> None:
        """Write when all entered so far is on disk, if the client is still there then."""

        def told(durable: bool) -> None:
            if self.line is not line:
                return
            if durable:
                line.write(data())
            else:
                line.close()

        self._around.journal.when_durable(told)

    def _takes(self, run: Run) -> bool:
        """Whether messages are still to be delivered: not expired, and not too large for the client."""
        if run.expires_at is not None and run.expires_at <= self._around.clock.time():
            return False
        if not self._fits(run):  # [MQTT-3.1.2-24] [MQTT-3.1.2-25]
            self._lose(run.count)
            return False
        return True

    def _fits(self, run: Run) -> bool:
        """Whether a packet as it goes out is one that the client takes."""
        largest = self.largest
        return not largest or run.size + MOST_ADDED <= largest or self._dressed(run).size <= largest

    def _dressed(self, run: Run) -> Run:
        """Packets as they go out to this client: with what remains until they expire, and with topic aliases."""
        if self.version != _V5:
            return run
        extra = b""
        topic = None
        if run.expires_at is not None:  # [MQTT-3.3.2-6]
            extra = b"\x02" + max(0, int(run.expires_at - self._around.clock.time())).to_bytes(4, "big")
        if self.aliases is not None and not 0 < self.largest < run.size + MOST_ADDED:
            topic = run.topic
            alias, known = self.aliases.of(topic)
            if alias:
                extra += b"\x23" + alias.to_bytes(2, "big")
                if known:
                    topic = b"\0\0"
        return run.dressed(extra, run.topic if topic is None else topic) if extra else run

    # --- acknowledgements in ---

    def acknowledge(self, data: bytes, position: int) -> int:
        """Take the PUBACKs in `data` from `position` on, send what they make room for; where they end."""
        position = self.inflight.acknowledge(data, position)
        if self.queue or self._is_behind:
            self.pump()
        return position

    def acknowledge_one(self, packet_id: int) -> None:
        """A PUBACK, or a PUBREC that refuses the message. (MQTT 5.0, 4.3.3)"""
        self.inflight.acknowledge_one(packet_id)
        self.pump()

    def release(self, packet_id: int) -> bool:
        """PUBREC: answer PUBREL once that is certain to be remembered. False: no such message. [MQTT-4.3.3-4]"""
        line = self.line
        run = self.inflight.release(packet_id)
        if run is None or line is None:
            return False
        answer = Pubrel(packet_id).encode(Version(self.version))
        if self.store is None:
            line.write(answer)
        else:
            self.store.progress(run, RELEASED)
            self._when_durable(line, lambda: answer)
        return True

    def complete(self, packet_id: int) -> bool:
        """PUBCOMP: the exchange is over."""
        found = self.inflight.complete(packet_id) is not None
        self.pump()
        return found

    def _done(self, run: Run, count: int) -> None:
        if self.store is not None:
            self.store.done(run, count)

    # --- what waits ---

    def pump(self) -> None:
        """Send what waits, as far as the window of unacknowledged messages and the line allow.

        What is sent at a time is bounded: its acknowledgements come back here.
        """
        line = self.line
        if line is None or line.full:
            return
        queue = self.queue
        sent = 0
        while queue and sent < HIGH_WATER:
            room = self.window - self.inflight.count
            if room <= 0:
                break
            run = queue.popleft()
            if run.count > room:
                queue.appendleft(run.after(room))
                run = run.first(room)
            self.queued -= run.count
            self.queued_bytes -= len(run.frames)
            before = self.inflight.count
            self._write(line, run)
            if self.inflight.count > before:  # nobody acknowledges what has expired
                sent += len(run.frames)
        if self.queued < READ_AHEAD:
            if self._is_behind and not self._reading:
                self._reading = True
                self._around.tasks.start(self._read_on(), "read")
            for more in self.sources:
                more()
        if not queue:
            line.queue_drained()

    @property
    def _is_behind(self) -> bool:
        return self.store is not None and self.store.behind

    async def _read_on(self) -> None:
        """Take what waits on disk into memory, while there is a client for it."""
        store = self.store
        assert store is not None
        try:
            while store.behind and self.queued < READ_AHEAD and (line := self.line) is not None:
                runs, loaded = await store.read(PAGE)
                if self.line is not line:
                    continue  # the client has gone, and the queue with it; it may be back already
                store.loaded = loaded
                for step, run in runs:
                    self._take(step, run)
                self.pump()
                await asyncio.sleep(0)  # reads need not wait, and of what has expired there may be much
        finally:
            self._reading = False

    def _take(self, step: int, run: Run) -> None:
        """Put a run from the disk where it belongs: in the queue, or where it was when the server was killed."""
        line = self.line
        assert line is not None
        if step == WAITING:
            if not self.may_receive(run.topic[2:].decode()):  # rights may have changed while the client was away
                self._done(run, run.count)
            else:
                self._enqueue(run if run.version == self.version else run.in_form(self.version))
        elif step == SENT:
            self._repeat(line, self.inflight.put(run))
        else:
            packet_id = identifier(run)
            self.inflight.put_released(packet_id, run)
            line.write(Pubrel(packet_id).encode(Version(self.version)))

    def _enqueue(self, run: Run) -> None:
        if self.store is None:
            room = self._room(run, self.queued, self.queued_bytes)
            if run.count > room:
                self._lose(run.count - room)
                if not room:
                    return
                run = run.first(room)
        if isinstance(self.queue, tuple):
            self.queue = deque()
        self.queue.append(run)
        self.queued += run.count
        self.queued_bytes += len(run.frames)

    def _room(self, run: Run, messages: int, size: int) -> int:
        """How many messages of a run still fit beside those that wait."""
        quotas = self._around.quotas
        return max(0, min(quotas.queued_messages - messages, (quotas.queued_bytes - size) // run.size))

    def _lose(self, count: int) -> None:
        self.dropped += count
        self._around.dropped += count

    # --- coming and going ---

    def attach(self, line: Line, wanted: Wanted) -> None:
        """The client is there."""
        self.line, self.wanted = line, wanted
        line.on_room = self.pump
        self.inflight.on_done = None if self.store is None else self.store.done

    def resume(self) -> None:
        """Send again what was not acknowledged before the connection broke, then what came since. [MQTT-4.4.0-1]"""
        line = self.line
        if line is None:
            return
        for run in list(self.inflight):
            self._repeat(line, run)
        for packet_id in self.inflight.released:
            line.write(Pubrel(packet_id).encode(Version(self.version)))
        self.pump()

    def _repeat(self, line: Line, run: Run) -> None:
        """Send again what was on its way, whether it has expired meanwhile or not. [MQTT-3.3.2-5] [MQTT-4.4.0-1]"""
        if self._fits(run):
            line.write(self._dressed(run.repeated()).frames)
            return
        self._lose(run.count)
        for one in run.singles():
            self.inflight.acknowledge_one(identifier(one))

    def detach(self) -> None:
        """The client is gone: what waits in memory is let go where it is on disk."""
        self.line = self.wanted = self.aliases = None
        store = self.store
        if store is None:
            return
        kept: list[Run] = []
        for run in self.queue:
            row = run.row
            if row is None or row.count > run.count:  # the rest of it is on its way already
                kept.append(run)
            else:
                store.loaded = row.number - 1
                break
        self.queue = deque(kept) if kept else ()
        self.queued = sum(run.count for run in kept)
        self.queued_bytes = sum(len(run.frames) for run in kept)
