"""The QoS 1 messages on their way to a client: sent, and not yet acknowledged.

Clients acknowledge in the order in which messages came. So messages are kept as the runs they were sent in, and a chunk
of PUBACKs is compared with what the next ones must look like: all of them are done with in one comparison. A client
that acknowledges out of order is served too, message by message: what is on its way is then taken apart, once.
"""

from collections import deque
from collections.abc import Iterator

from fogbank.broker.runs import MAX_ID, Run, pubacks
from fogbank.mqtt.errors import MalformedPacket

PUBACK = 0x40


class Inflight:
    """Sent messages by packet identifier, in the order of sending."""

    __slots__ = ("_done", "_loose", "_next", "_runs", "count")

    def __init__(self) -> None:
        self.count = 0
        """Messages on their way."""
        self._loose: dict[int, Run] = {}
        """Single messages by identifier: what is left of runs acknowledged out of order. Older than all of `_runs`."""
        self._runs: deque[Run] = deque()
        """Messages with identifiers one after the other, the last of them before `_next`."""
        self._done = 0
        """How many messages of the first run are acknowledged."""
        self._next = 1

    def send(self, run: Run) -> bytes | bytearray:
        """Number a run and keep it; what is to be written."""
        first = self._next
        end = first + run.count
        # those of `_runs` are all below `first`, for whatever wraps around is sent one by one
        if end > MAX_ID or (self._loose and not self._loose.keys().isdisjoint(range(first, end))):
            return b"".join(self._send_one(one) for one in run.singles())
        run = run.numbered(first)
        self._runs.append(run)
        self._next = end
        self.count += run.count
        return run.frames

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
                self._acknowledge_one(packet_id)
                count = 1
            position += 4 * count
        return position

    def __iter__(self) -> Iterator[Run]:
        """All that is on its way, in the order of sending."""
        yield from self._loose.values()
        done = self._done
        for run in self._runs:
            yield run.after(done) if done else run
            done = 0

    def _in_order(self, data: bytes, position: int) -> int:
        """How many of the PUBACKs at `position` are those of the oldest messages: all, or one, or none."""
        oldest = self._next - self.count
        count = min(self.count, (len(data) - position) // 4)
        if count and data.startswith(pubacks(oldest, count), position):
            return count
        return 1 if count > 1 and data.startswith(pubacks(oldest, 1), position) else 0

    def _drop(self, count: int) -> None:
        """The oldest `count` messages of the runs have arrived."""
        self.count -= count
        count += self._done
        runs = self._runs
        while runs and runs[0].count <= count:
            count -= runs.popleft().count
        self._done = count

    def _send_one(self, run: Run) -> bytes | bytearray:
        """Give a single message the next identifier that is free, wherever that is."""
        self._take_apart()
        packet_id = self._next
        while packet_id in self._loose:
            packet_id = packet_id % MAX_ID + 1
        self._next = packet_id % MAX_ID + 1
        run = self._loose[packet_id] = run.numbered(packet_id)
        self.count += 1
        return run.frames

    def _acknowledge_one(self, packet_id: int) -> None:
        if packet_id not in self._loose:
            self._take_apart()
        if self._loose.pop(packet_id, None) is not None:
            self.count -= 1

    def _take_apart(self) -> None:
        """Turn runs into single messages. Each message goes through this at most once."""
        number = self._next - self.count + len(self._loose)
        for run in list(self)[len(self._loose) :]:
            for one in run.singles():
                self._loose[number] = one
                number += 1
        self._runs.clear()
        self._done = 0
