"""What every attack is measured by: a bystander who notices nothing, a log that says it once, and no lasting traces."""

import contextlib
import http.client
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.server import PATIENCE, Server, eventually

NOTICED = 1.5
"""Seconds of delay from which on a bystander counts as disturbed; those without a core to run on are not counted."""
SPARE_MEMORY = 48 << 20
"""Bytes that an attack may leave behind: allocators keep what they once had."""
SPARE_DESCRIPTORS = 3
"""Epoll sets, pools, a thread's pipe."""
PASSED_RATE = re.compile(r"WARNING (.+: more than \d+ .+ a second.*; (?:with AWS IoT the excess|no more of them) .+)$")
"""Attacks are faster than AWS lets clients be, and each is told so."""


class Bystander:
    """A client with two connections, MQTT and HTTP, which it uses in turn from a thread of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._mqtt = server.client("bystander")
        assert self._mqtt.subscribe("bystander/#", qos=1) == (1,)
        self._http = http.client.HTTPConnection(*server.address("api"), timeout=PATIENCE)
        self._stopping = threading.Event()
        self._problem: BaseException | None = None
        self.rounds = 0
        self.slowest = 0.0
        """Seconds."""
        self._thread = threading.Thread(target=self._run, name="bystander")
        self.look()
        self._thread.start()

    def look(self) -> None:
        """Use everything once."""
        begun, starved = time.monotonic(), self._starved()
        self._mqtt.ping()
        payload = str(self.rounds).encode()
        self._mqtt.publish("bystander/clock", payload)
        assert self._mqtt.message().payload == payload
        self._http.request("GET", "/_fogbank/health")
        answer = self._http.getresponse()
        assert answer.status == 200
        answer.read()
        self.rounds += 1
        self.slowest = max(self.slowest, time.monotonic() - begun - (self._starved() - starved))

    def _starved(self) -> float:
        """Seconds for which the server, and this thread, could have run but had no core: other tests had it."""
        return _starved(self._server.pid, self._server.pid) + _starved(os.getpid(), threading.get_native_id())

    def leave(self) -> None:
        """Raises what went wrong."""
        self._stopping.set()
        self._thread.join(2 * PATIENCE)
        with contextlib.closing(self._http), self._mqtt:
            if self._problem is not None:
                raise AssertionError("a bystander was disturbed") from self._problem
            self.look()

    def _run(self) -> None:
        try:
            while not self._stopping.wait(0.01):
                self.look()
        except BaseException as problem:
            self._problem = problem


def _starved(process: int, thread: int) -> float:
    """See the kernel's text on scheduler statistics; 0 where it keeps none."""
    try:
        return int(Path(f"/proc/{process}/task/{thread}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def settled(server: Server) -> None:
    """Wait until connections that were closed are gone, and told of."""
    last = (-1, -1)

    def still() -> bool:
        nonlocal last
        before, last = last, (server.descriptors(), len(server.lines()))
        return before == last

    eventually("the server's descriptors and log settle", still)


@contextlib.contextmanager
def siege(
    server: Server,
    *lines: str,
    any_lines: bool = False,
    memory: int = SPARE_MEMORY,
    noticed: float = NOTICED,
) -> Iterator[None]:
    """Attack within; after it, the server must have written just `lines` (regular expressions, in any order) to
    stderr, be as large and hold as many descriptors as before, and have served a bystander all the time."""
    settled(server)
    before = len(unasked(server))
    memory_before, descriptors_before = server.memory(), server.descriptors()
    bystander = Bystander(server)
    try:
        yield
    finally:
        bystander.leave()
    assert bystander.slowest < noticed, f"a bystander had to wait for {bystander.slowest:.2f} s"
    eventually(
        f"descriptors come back to {descriptors_before}",
        lambda: server.descriptors() <= descriptors_before + SPARE_DESCRIPTORS,
    )
    eventually(f"memory comes back to {memory_before >> 20} MB", lambda: server.memory() <= memory_before + memory)
    if any_lines:
        return
    eventually(
        f"{len(lines)} lines",
        lambda: len(unasked(server)) - before >= len(lines),
        lambda: "\n".join(unasked(server)[before:]),
    )
    written = unasked(server)[before:]
    assert not tracebacks(written)
    missing = list(written)
    for line in lines:
        found = next((one for one in missing if re.search(line, one)), None)
        assert found is not None, f"no line like {line!r} in {written}"
        missing.remove(found)
    assert missing == [], f"unexpected in the log: {missing}"


def unasked(server: Server) -> list[str]:
    """What it wrote to stderr without the warnings of passed rates."""
    return [line for line in server.lines() if not PASSED_RATE.search(line)]


def repeated_warnings(lines: list[str]) -> list[str]:
    """The warnings of passed rates that were given more than once. Those of a crowd may be, once a minute."""
    given = Counter(found[1] for line in lines if (found := PASSED_RATE.search(line)))
    return [text for text, count in given.items() if count > 1 and not text.startswith("many clients")]


def tracebacks(lines: list[str]) -> list[str]:
    """The lines that betray an exception nobody foresaw, in our own code and not in a function's."""
    own = [line for line in lines if not re.match(r"[0-9:]{8} INFO    [\w-]+: ", line)]
    return [line for line in own if re.search(r"Traceback|^\s+File |traceback in|\bERROR\b|Exception ignored", line)]


def log_file(server: Server) -> Path:
    return server.data / "fogbank.log"
