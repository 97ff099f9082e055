"""Queues that rules send to, and what is found in them afterwards."""

import contextlib
import sys
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bench.broker import Api
from bench.process import LOOPBACK, accepts, await_ready, free_port, process
from bench.rules.arrivals import Arrivals, Ledger

PATIENCE = 3.0
"""Seconds without a new message after which no more are awaited."""
AT_ONCE = 10
"""What one ReceiveMessage gives at most."""
RECEIVERS = 4
POLL = 0.05


class Queue(Protocol):
    """Where messages end up."""

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL_SQS is to be."""
        ...

    @property
    def pid(self) -> int:
        """Of the process that it is in."""
        ...

    @property
    def url(self) -> str:
        """Its QueueUrl."""
        ...

    def wait(self, expected: int) -> None:
        """Until so many have come, or no more do."""
        ...

    def collect(self) -> Arrivals:
        """All of them, verified; leaves the queue empty."""
        ...


class AwsQueue:
    """A queue of a service that is all of SQS. What came when is what the service says of it, to the millisecond."""

    def __init__(self, api: Api, pid: int, name: str) -> None:
        self.endpoint = api.url
        self.pid = pid
        self._sqs: Any = api.client("sqs")
        self.url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def wait(self, expected: int) -> None:
        """See Queue."""
        _wait(expected, self._waiting)

    def collect(self) -> Arrivals:
        """See Queue."""
        ledger = Ledger()
        with ThreadPoolExecutor(RECEIVERS) as pool:
            for received in pool.map(lambda _: self._receive(), range(RECEIVERS)):
                for message in received:
                    ledger.record(message["Body"].encode(), int(message["Attributes"]["SentTimestamp"]) / 1000)
        return ledger.arrivals()

    def _waiting(self) -> int:
        names = ["ApproximateNumberOfMessages"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    def _receive(self) -> list[dict[str, Any]]:
        received: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(
            QueueUrl=self.url, AttributeNames=["SentTimestamp"], MaxNumberOfMessages=AT_ONCE
        ).get("Messages"):
            received += messages
            entries = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
            self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return received


class SinkQueue:
    """The sink's only one."""

    def __init__(self, port: int, pid: int) -> None:
        self.endpoint = f"http://{LOOPBACK}:{port}"
        self.pid = pid
        self.url = f"{self.endpoint}/123456789012/bench"

    def wait(self, expected: int) -> None:
        """See Queue."""
        _wait(expected, lambda: self._ask("GET").distinct)

    def collect(self) -> Arrivals:
        """See Queue."""
        arrivals = self._ask("GET")
        self._ask("DELETE")
        return arrivals

    def _ask(self, method: str) -> Arrivals:
        request = urllib.request.Request(self.endpoint, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            said = bytes(answer.read())
        return msgspec.json.decode(said, type=Arrivals) if method == "GET" else Arrivals(0, 0, 0, 0.0)


def _wait(expected: int, arrived: Callable[[], int]) -> None:
    seen, since = -1, time.monotonic()
    while (now := arrived()) < expected:
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() - since > PATIENCE:
            return
        time.sleep(POLL)


@contextlib.contextmanager
def sink(directory: Path, cores: Collection[int] | None) -> Iterator[SinkQueue]:
    """The quick queue; ready when this is entered."""
    port, log = free_port(), directory / "sink.log"
    with process([sys.executable, "-m", "bench.rules.sink", str(port)], log, cores) as started:
        await_ready("the sink", started, lambda: accepts(port), log)
        yield SinkQueue(port, started.pid)
