"""The messages on their way to a client: sent, and not yet acknowledged.

Clients acknowledge QoS 1 in the order in which messages came. So messages are kept as the runs they were sent in, and a
chunk of PUBACKs is compared with what the next ones must look like: all of them are done with in one comparison. A
client that acknowledges out of order is served too, message by message: what is on its way is then taken apart, once.

Messages of QoS 2 take two steps. Until PUBREC they are kept like any other, and after it their identifier alone is,
until PUBCOMP.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from fogbank.broker.runs import MAX_ID, Run, pubacks
from fogbank.mqtt.errors import MalformedPacket

PUBACK: Final = 0x40


class Inflight:
    """Sent messages by packet identifier, in the order of sending."""

    __slots__ = ("_done", "_loose", "_next", "_runs", "count", "on_done", "released")

    def __init__(self) -> None:
        self.count = 0
        """Messages on their way."""
        self.on_done: Callable[[Run, int], None] | None = None
        """Told of a run and how many more of its messages have arrived."""
        self.released: dict[int, Run] = {}
        """QoS 2 messages that the client has taken, by identifiers that it has not let go of yet."""
        self._loose: dict[int, Run] = {}
        """Single messages by identifier: what is left of runs acknowledged out of order. Older than all of `_runs`."""
        self._runs: deque[Run] | tuple[()] = ()
        """Messages with consecutive identifiers, the last of them before `_next`. A deque, once it is needed."""
        self._done = 0
        """How many messages of the first run are acknowledged."""
        self._next = 1

    # --- sending ---

    def send(self, run: Run) -> Run | list[Run]:
        """Number a run of QoS 1 and keep it; what is to be written: in one piece nearly always."""
        first = self._next
        end = first + run.count
        # those of `_runs` are all below `first`, for whatever wraps around is sent one by one
        if end > MAX_ID or self.released or (self._loose and not self._loose.keys().isdisjoint(range(first, end))):
            return [self.send_one(one) for one in run.singles()]
        run = run.numbered(first)
        if isinstance(self._runs, tuple):
            self._runs = deque()
        self._runs.append(run)
        self._next = end
        self.count += run.count
        return run

    def send_one(self, run: Run) -> Run:
        """Give a single message the next identifier that is free, wherever that is."""
        self._take_apart()
        packet_id = self._next
        while packet_id in self._loose or packet_id in self.released:
            packet_id = packet_id % MAX_ID + 1
        self._next = packet_id % MAX_ID + 1
        return self.put(run.numbered(packet_id))

    def put(self, run: Run) -> Run:
        """Keep a single message that has its identifier already: one sent before a restart."""
        self._loose[identifier(run)] = run
        self.count += 1
        return run

    def put_released(self, packet_id: int, run: Run) -> None:
        """Keep the identifier of a QoS 2 message that the client took before a restart."""
        self.released[packet_id] = run
        self.count += 1

    # --- acknowledgements ---

    def acknowledge(self, data: bytes, position: int) -> int:
        """Take the PUBACKs that stand in `data` from `position` on; where they end.

        Identifiers that are not in use are ignored: acknowledgements of messages sent before a session was resumed.
        Raises MalformedPacket for the identifier 0.
        """
        end = len(data) - 3
        while position < end and data[position] == PUBACK and data[position + 1] == 2:
            count = 0 if self._loose else self._in_order(data, position)
            if count:
                self._drop(count)
            else:
                packet_id = data[position + 2] << 8 | data[position + 3]
                if not packet_id:
                    raise MalformedPacket("PUBACK with packet identifier 0 [MQTT-2.3.1-1]")
                self.acknowledge_one(packet_id)
                count = 1
            position += 4 * count
        return position

    def acknowledge_one(self, packet_id: int) -> None:
        """A message of QoS 1 has arrived, or one of QoS 2 is refused."""
        if packet_id not in self._loose:
            self._take_apart()
        run = self._loose.pop(packet_id, None)
        if run is not None:
            self.count -= 1
            self._tell(run)

    def release(self, packet_id: int) -> Run | None:
        """PUBREC: the client has taken a QoS 2 message, which from now on is not sent again. None: it is unknown."""
        run = self._loose.get(packet_id)
        if run is not None and run.qos == 2:
            self.released[packet_id] = self._loose.pop(packet_id)
        return self.released.get(packet_id)

    def complete(self, packet_id: int) -> Run | None:
        """PUBCOMP: the identifier of a QoS 2 message is free again."""
        run = self.released.pop(packet_id, None)
        if run is not None:
            self.count -= 1
            self._tell(run)
        return run

    def __iter__(self) -> Iterator[Run]:
        """All that is on its way and not released, in the order of sending."""
        yield from self._loose.values()
        done = self._done
        for run in self._runs:
            yield run.after(done) if done else run
            done = 0

    def _in_order(self, data: bytes, position: int) -> int:
        """How many of the PUBACKs at `position` are those of the oldest messages: all, or one, or none."""
        oldest = self._next - self.count + len(self.released)
        count = min(self.count - len(self.released), (len(data) - position) // 4)
        if count and data.startswith(pubacks(oldest, count), position):
            return count
        return 1 if count > 1 and data.startswith(pubacks(oldest, 1), position) else 0

    def _drop(self, count: int) -> None:
        """The oldest `count` messages of the runs have arrived."""
        self.count -= count
        runs = self._runs
        while count and runs:
            run = runs[0]
            part = min(count, run.count - self._done)
            if self.on_done is not None:
                self.on_done(run, part)
            count -= part
            self._done += part
            if self._done == run.count:
                runs.popleft()
                self._done = 0

    def _tell(self, run: Run) -> None:
        if self.on_done is not None:
            self.on_done(run, 1)

    def _take_apart(self) -> None:
        """Turn runs into single messages. Each message goes through this at most once."""
        if not self._runs:
            return
        number = self._next - sum(run.count for run in self._runs) + self._done
        for run in self._runs:
            for one in run.after(self._done).singles() if self._done else run.singles():
                self._loose[number] = one
                number += 1
            self._done = 0
        self._runs = ()


def identifier(run: Run) -> int:
    """The packet identifier of a single message that has been sent."""
    return run.frames[run.offset] << 8 | run.frames[run.offset + 1]
