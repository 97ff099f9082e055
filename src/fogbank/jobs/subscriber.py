"""Takes requests about jobs off their reserved topics, and answers over the connection they came on.

A client gets its answer also where it does not subscribe to it (developer guide, jobs-mqtt-api): FreeRTOS's agent
asks for its next job, and subscribes to `notify-next` alone.
"""

import asyncio
import logging
from collections import defaultdict

from fogbank.clock import Clock
from fogbank.errors import InternalFailure, ServiceError, Throttling
from fogbank.jobs import answers
from fogbank.jobs.device import DeviceJobs, Reply
from fogbank.jobs.errors import InvalidTopic
from fogbank.jobs.ledger import Ledger
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.requests import client_token, parse
from fogbank.jobs.topics import NAMESPACE, RequestTopic, parse_request_topic
from fogbank.message import Message
from fogbank.ports import Answers, StorageError, Subscriptions
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)

REQUEST_BYTES = 2048
"""What an unanswered request takes in memory beside its payload, roughly."""
SHARE = 8
"""No client takes more than this part of `pending_bytes`, so that one that floods does not silence the others."""

Client = tuple[str, str | None]
"""The principal and client ID that bytes and requests are counted by."""


class JobsSubscriber:
    """Implements the port Subscriber.

    Past `in_flight` requests of a connection to a thing, further ones are rejected. Past `pending_bytes` in all they
    are dropped: there is no room for an answer either. What rules republish has no connection, and no answer.
    """

    def __init__(
        self, device: DeviceJobs, ledger: Ledger, ways_back: Answers, clock: Clock, trace: Trace, limits: JobLimits
    ) -> None:
        self._device = device
        self._ledger = ledger
        self._answers = ways_back
        self._clock = clock
        self._trace = trace
        self._limits = limits
        self._tasks = Tasks("jobs")
        self._in_flight: defaultdict[tuple[str, str | None, str], int] = defaultdict(int)
        self._pending_bytes = 0
        self._pending_of: defaultdict[Client, int] = defaultdict(int)

    def subscribe(self, subscriptions: Subscriptions) -> None:
        """Take all requests from now on."""
        subscriptions.subscribe(NAMESPACE, self)

    def unsubscribe(self, subscriptions: Subscriptions) -> None:
        subscriptions.unsubscribe(NAMESPACE, self)

    def deliver(self, message: Message) -> None:
        """Take what may be a request; answers and notifications are on topics of the namespace too."""
        try:
            asked = parse_request_topic(message.topic)
        except InvalidTopic as error:
            if not message.will:
                self._reject(message, error)
            return
        if asked is None:
            return
        if message.will:
            self._skip(message, "a client's will: jobs ignore those")
            return
        self._take(message, asked)

    async def close(self) -> None:
        """Answer what was asked."""
        await self._tasks.drain()

    def _take(self, message: Message, asked: RequestTopic) -> None:
        """Hand the request to the ledger at once, so that one client's are carried out in their order."""
        cost = len(message.payload) + REQUEST_BYTES
        client = (message.origin.principal, message.origin.client_id)
        if not self._has_room(client, cost):
            self._skip(message, "dropped: too many requests about jobs wait to be served")
            return
        connection = (*client, asked.thing)
        try:
            if self._limits.in_flight is not None and self._in_flight[connection] >= self._limits.in_flight:
                raise Throttling("Too many requests")
            work = self._device.work(asked, parse(message.payload, self._limits.request_bytes))
            done = self._ledger.submit(work)
        except ServiceError as error:
            self._reject(message, error)
            return
        finally:
            if not self._in_flight[connection]:
                del self._in_flight[connection]
        self._pending_bytes += cost
        self._pending_of[client] += cost
        self._in_flight[connection] += 1
        self._tasks.start(self._serve(message, done, connection, cost), "request")

    def _has_room(self, client: Client, cost: int) -> bool:
        limit = self._limits.pending_bytes
        if client[1] is not None and self._pending_of.get(client, 0) + cost > limit // SHARE:
            return False
        return self._pending_bytes + cost <= limit

    async def _serve(
        self,
        message: Message,
        done: asyncio.Future[Reply],
        connection: tuple[str, str | None, str],
        cost: int,
    ) -> None:
        try:
            now = self._clock.time()
            answer = await self._device.answer(await done, now, embedded=True)
            self._tell(message, "accepted", answers.accepted(answer, now, client_token(message.payload)))
        except ServiceError as error:
            self._reject(message, error)
        except StorageError as error:
            log.error("a request on %s cannot be served: %s", message.topic, error)
            self._reject(message, InternalFailure("Internal service failure"))
        finally:
            self._pending_bytes -= cost
            for counts, key, by in ((self._pending_of, connection[:2], cost), (self._in_flight, connection, 1)):
                counts[key] -= by  # type: ignore[index]
                if not counts[key]:  # type: ignore[index]
                    del counts[key]  # type: ignore[arg-type]

    def _reject(self, message: Message, error: ServiceError) -> None:
        token = client_token(message.payload) if len(message.payload) <= self._limits.request_bytes else None
        self._emit(message, "failure", f"{type(error).__name__}: {error.message}")
        self._tell(message, "rejected", answers.rejected(error, self._clock.time(), token))

    def _tell(self, message: Message, kind: str, payload: bytes) -> None:
        problem = self._answers.answer(message.origin, f"{message.topic}/{kind}", payload, unasked=True)
        if problem is not None:
            self._skip(message, f"the answer was not sent: {problem}")
        elif kind == "accepted":
            self._emit(message, "success", "accepted")

    def _skip(self, message: Message, reason: str) -> None:
        self._emit(message, "skipped", reason)

    def _emit(self, message: Message, status: str, reason: str) -> None:
        if self._trace.active:
            self._trace.emit(
                "job",
                status,
                reason=reason,
                topic=message.topic,
                client_id=message.origin.client_id or "",
                principal=message.origin.principal,
            )
