"""Messages that go straight to one connected client, whether it subscribes to their topic or not.

AWS IoT API reference, SendDirectMessage: rules do not see them, they are not retained, and they wait for nobody. What
the client cannot take at once is refused, and the sender knows. One that was sent at QoS 1 and not acknowledged is sent
again where the client resumes its session [MQTT-4.4.0-1]; it is in memory alone, and gone after a restart.

Services answer in this way, too, where nobody but the client that asked may see the answer (`ports.Answers`).
"""

import asyncio
from collections.abc import Callable, Mapping

from fogbank.broker.connection import Connection
from fogbank.broker.inflight import Inflight, identifier
from fogbank.broker.runs import Run
from fogbank.broker.session import MOST_ADDED, Session
from fogbank.clock import Clock
from fogbank.errors import Forbidden, GatewayTimeout, RequestEntityTooLarge, ResourceNotFound, Throttling
from fogbank.message import Message, Origin
from fogbank.tasks import Tasks
from fogbank.topics import matches


class DirectMessages:
    """Sends them, and waits for those that are to be confirmed."""

    def __init__(self, live: Mapping[str, Connection], clock: Clock, tasks: Tasks) -> None:
        """`live` has the established connections by client ID."""
        self._live = live
        self._clock = clock
        self._tasks = tasks
        self._awaited: dict[Session, Awaited] = {}

    async def send(self, client_id: str, message: Message, within: float | None = None) -> None:
        """Send a message at QoS 0 or, where it is to be confirmed `within` so many seconds,
        at QoS 1, and return when PUBACK has come.

        Raises ResourceNotFound where the client is not connected, Forbidden where its policies do not let it receive
        the topic (UNVERIFIED that AWS calls it that), RequestEntityTooLarge, Throttling, and GatewayTimeout.
        """
        connection = self._live.get(client_id)
        if connection is None:
            raise ResourceNotFound(f"No client with the ID '{client_id}' is connected")
        if not connection.may_receive(message.topic):
            raise Forbidden(f"The policies of '{client_id}' do not allow iot:Receive on {message.topic}")
        session = connection.session
        run = Run.of(message, qos=0 if within is None else 1)
        if session.largest and run.in_form(session.version).size + MOST_ADDED > session.largest:
            raise RequestEntityTooLarge(f"'{client_id}' takes no packets of more than {session.largest} bytes")
        packet_id = session.send_at_once(run)
        if packet_id is None:
            raise Throttling(f"'{client_id}' does not keep up with what it is sent; try again later")
        if within is not None:
            await self._arrival(session, packet_id, within)

    def obstacle(self, asker: Origin, topic: str, *, unasked: bool = False) -> str | None:
        """Port Answers. Policies decide here as they do for any message (`iot:Receive`)."""
        found = self._asking(asker)
        if found is None:
            return "the connection that asked is gone, or there was none"
        if not unasked and not any(matches(filter_, topic) for filter_ in found.session.subscriptions):
            return f"the client does not subscribe to {topic}"
        if not found.may_receive(topic):
            return f"the policies of the client do not allow iot:Receive on {topic}"
        return None

    def answer(self, asker: Origin, topic: str, payload: bytes, *, unasked: bool = False) -> str | None:
        """Port Answers. At QoS 0, so that a private key waits in no session for whoever may resume that."""
        problem = self.obstacle(asker, topic, unasked=unasked)
        if problem is not None:
            return problem
        session = self._live[asker.client_id or ""].session
        sent = session.send_at_once(Run.of(Message(topic, payload), qos=0))
        return "the client does not keep up, or takes no packets of this size" if sent is None else None

    def _asking(self, asker: Origin) -> Connection | None:
        """The connection with this very origin: another client of the same ID is not the one that asked."""
        connection = None if asker.client_id is None else self._live.get(asker.client_id)
        return connection if connection is not None and connection.origin is asker else None

    def lost(self, session: Session) -> None:
        """The connection of a session has ended: what was not confirmed by then is not going to be."""
        awaited = self._awaited.pop(session, None)
        if awaited is not None:
            awaited.give_up("disconnected before it confirmed the message")

    async def _arrival(self, session: Session, packet_id: int, within: float) -> None:
        awaited = self._awaited.get(session)
        if awaited is None:
            awaited = self._awaited[session] = Awaited(session.inflight)
        problem = awaited.expect(packet_id)
        overdue = self._tasks.start(self._give_up(awaited, packet_id, within), "direct")
        try:
            if why := await problem:
                raise GatewayTimeout(f"'{session.client_id}' {why}")
        finally:
            overdue.cancel()
            if awaited.forget(packet_id) and self._awaited.get(session) is awaited:
                del self._awaited[session]

    async def _give_up(self, awaited: "Awaited", packet_id: int, within: float) -> None:
        await self._clock.sleep(within)
        awaited.arrived(packet_id, f"did not confirm the message within {within:g} seconds")


class Awaited:
    """The packets to one session whose arrival somebody waits for. It listens to the acknowledgements meanwhile."""

    def __init__(self, inflight: Inflight) -> None:
        self._inflight = inflight
        self._then: Callable[[Run, int], None] | None = inflight.on_done
        self._problems: dict[int, asyncio.Future[str]] = {}
        inflight.on_done = self._on_done

    def expect(self, packet_id: int) -> "asyncio.Future[str]":
        """Resolves to the empty string when the packet has arrived, else to what went wrong."""
        problem = self._problems[packet_id] = asyncio.get_running_loop().create_future()
        return problem

    def arrived(self, packet_id: int, problem: str = "") -> None:
        """The packet has been acknowledged, or is not going to be."""
        future = self._problems.get(packet_id)
        if future is not None and not future.done():
            future.set_result(problem)

    def give_up(self, problem: str) -> None:
        """No acknowledgement is going to come."""
        for packet_id in self._problems:
            self.arrived(packet_id, problem)

    def forget(self, packet_id: int) -> bool:
        """Nobody waits for this packet any more; whether that goes for all, and nothing is listened to now."""
        self._problems.pop(packet_id, None)
        if self._problems:
            return False
        if self._inflight.on_done == self._on_done:  # a client that has come back has set its own
            self._inflight.on_done = self._then
        return True

    def _on_done(self, run: Run, count: int) -> None:
        if self._then is not None:
            self._then(run, count)
        if run.count == 1:
            self.arrived(identifier(run))
