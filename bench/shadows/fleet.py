"""The process of 200 devices and an app, over MQTT: `python -m bench.shadows.fleet`, a Task on its standard input.

Each device subscribes to what its shadow answers and to its delta, and sends the next update when the one before was
accepted. The app sees the documents of all. All of it at QoS 1. Every version is expected once and in order, on each
of the three ways it is told.
"""

import asyncio
import ssl
import sys
import time

import msgspec
import uvloop

from bench.process import LOOPBACK
from bench.shadows import mqtt
from bench.shadows.exchange import Outcome, Task
from bench.shadows.stopwatch import DRAINING, Stopwatch
from bench.shadows.update import FIRST, Answer, Documents, report

AT_ONCE = 20
"""Connections under way while they are made."""

_ANSWER = msgspec.json.Decoder(Answer)
_DOCUMENTS = msgspec.json.Decoder(Documents)


class Device(mqtt.Client):
    """One thing, which updates its own shadow."""

    def __init__(self, number: int, watch: Stopwatch) -> None:
        self.thing = f"bench-{number}"
        self.prefix = f"$aws/things/{self.thing}/shadow/update"
        super().__init__(f"bench-pub-{number}", [f"{self.prefix}/{kind}" for kind in ("accepted", "rejected", "delta")])
        self.sent = self.version = self.differences = 0
        """The number of the last update, the version it was accepted as, and that of the last delta."""
        self._sent_at = 0.0
        self._watch = watch
        self._due = False

    def begin(self) -> None:
        """Send the first update; all others follow by themselves."""
        self._sent_at = time.perf_counter()
        self.send(mqtt.publish(self.prefix, 1, FIRST))

    def received(self, topic: bytes, payload: bytes) -> None:
        complaints = self._watch.complaints
        if topic.endswith(b"/rejected"):
            complaints.append(f"{self.thing} was refused: {payload.decode()}")
            return
        answer = _ANSWER.decode(payload)
        if topic.endswith(b"/delta"):
            if self.differences and answer.version != self.differences + 1:
                complaints.append(f"{self.thing}: delta {answer.version} after {self.differences}")
            self.differences = answer.version
            return
        if self.sent and (answer.version != self.version + 1 or answer.clientToken != str(self.sent)):
            complaints.append(f"{self.thing}: version {answer.version} after {self.version}")
        self.version = answer.version
        self._watch.enter(time.perf_counter() - self._sent_at)
        self._due = self._watch.running

    def to_send(self) -> bytes:
        if not self._due:
            return b""
        self._due = False
        self.sent += 1
        self._sent_at = time.perf_counter()
        return mqtt.publish(self.prefix, self.sent % 65_535 + 1, report(self.sent))

    @property
    def settled(self) -> bool:
        """Nothing is under way."""
        return self.version == self.differences and not self._due


class App(mqtt.Client):
    """Sees how all shadows change."""

    def __init__(self, watch: Stopwatch) -> None:
        super().__init__("bench-sub-app", ["$aws/things/+/shadow/update/documents"])
        self.versions: dict[str, int] = {}
        """The last one of each thing."""
        self._watch = watch

    def received(self, topic: bytes, payload: bytes) -> None:
        thing = topic.split(b"/")[2].decode()
        version = _DOCUMENTS.decode(payload).current.version
        before = self.versions.get(thing)
        if before is not None and version != before + 1:
            self._watch.complaints.append(f"{thing}: documents of version {version} after {before}")
        self.versions[thing] = version


async def drive(task: Task) -> Outcome:
    """All of it."""
    watch = Stopwatch(task)
    context = _context(task)
    app = App(watch)
    devices = [Device(number, watch) for number in range(task.clients)]
    waiting: list[mqtt.Client] = [app, *devices]
    while waiting:
        now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        await asyncio.gather(*(_open(client, task.port, context) for client in now))
    for device in devices:
        device.begin()
    spans = await watch.run()
    await _drained(devices, app, watch)
    for client in (app, *devices):
        client.close()
    return watch.outcome(spans)


async def _open(client: mqtt.Client, port: int, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_connection(lambda: client, LOOPBACK, port, ssl=context)
    await asyncio.wait_for(client.ready, 20)


def _context(task: Task) -> ssl.SSLContext | None:
    if task.ca is None:
        return None
    assert task.certificate is not None
    context = ssl.create_default_context(cafile=task.ca)
    context.check_hostname = False
    context.load_cert_chain(task.certificate, task.key)
    return context


async def _drained(devices: list[Device], app: App, watch: Stopwatch) -> None:
    """Wait until every update was told in every way; complain of those that were not."""
    deadline = time.monotonic() + DRAINING
    calm = 0
    while calm < 5 and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
        calm = calm + 1 if not [device for device in devices if not _told(device, app)] else 0
    for device in devices:
        if device.lost:
            watch.complaints.append(f"{device.thing} lost its connection")
        elif not _told(device, app):
            seen = app.versions.get(device.thing)
            watch.complaints.append(
                f"{device.thing}: version {device.version} was accepted, {device.differences} is the last delta's and "
                f"{seen} the last documents'"
            )


def _told(device: Device, app: App) -> bool:
    return device.settled and app.versions.get(device.thing) == device.version


if __name__ == "__main__":
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(task))))
