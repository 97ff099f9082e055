"""What publishers and subscribers have in common: a name, a session, and one connection after another."""

import asyncio
import random
from collections.abc import Container
from typing import NoReturn

from tests.torture import wire
from tests.torture.findings import Fault
from tests.torture.ledger import Ledger, Session
from tests.torture.link import PATIENCE, Gone, Link
from tests.torture.wire import Version


class World:
    """What all clients of a campaign share."""

    def __init__(self, ledger: Ledger, seed: str, *, backlog: int, patience: float) -> None:
        self.ledger = ledger
        self.backlog = backlog
        """Messages owed to one audience at which publishers wait."""
        self.patience = patience
        """Seconds without any delivery after which what is owed counts as lost."""
        self.port = 0
        self.up = False
        """Whether the broker has no excuse: it is neither killed nor about to be."""
        self.came = asyncio.Event()
        """Set whenever anything is delivered."""
        self._seed = seed

    def random(self, name: str) -> random.Random:
        """A source of choices of one's own, the same for the same seed."""
        return random.Random(f"{self._seed}/{name}")


class Client:
    """A client identifier. Its connections come and go; its session, where it is persistent, stays."""

    def __init__(
        self, world: World, name: str, version: Version, *, persistent: bool, receive_maximum: int | None = None
    ) -> None:
        self.name = name
        self.version = version
        self.session: Session = world.ledger.session(name)
        self.link: Link | None = None
        self.world = world
        self.random = world.random(name)
        self._persistent = persistent
        self._receive_maximum = receive_maximum
        self._start_over = False
        """Whether a clean start is under way that the broker has not confirmed."""
        self._packet_id = 0
        self._answers: dict[int, asyncio.Future[bytes]] = {}

    @property
    def connected(self) -> bool:
        return self.link is not None and self.link.alive

    async def connect(self, *, clean: bool = False) -> None:
        """Take up the session, or begin a new one where it is to be `clean`. Raises Gone."""
        self._start_over = clean = clean or self._start_over or not self._persistent
        lasts = self._persistent and not (clean and self.version is Version.V3_1_1)
        self.session.connecting(clean=clean)
        hello = wire.connect(
            self.name,
            self.version,
            clean=clean,
            persistent=lasts,
            receive_maximum=self._receive_maximum,
            will=self.will(),
        )
        try:
            self.link, present, code = await Link.open(self.world.port, hello)
        except TimeoutError:
            self.unanswered("CONNECT")
        if code:
            self.drop()
            self.complain(Fault.DISCONNECTED, f"CONNECT was refused with reason {code:#x}")
            raise Gone
        self._start_over = False
        if not present:
            self.begin_anew()
        self.session.connected(present=present, persistent=lasts)
        if clean and self._persistent and not lasts:  # at level 4 a clean session ends with its connection
            await self.link.leave()
            await self.connect()
        else:
            self.resume()
            self.link.listen(self.handle)

    def drop(self) -> None:
        """Lose the connection."""
        if self.link is not None:
            self.link.abort()
            self.link = None

    async def live(self) -> None:
        """Do what such a client does until the broker dies."""
        raise NotImplementedError

    def will(self) -> wire.Will | None:
        """What is to be published where the connection that is about to be made is lost."""
        return None

    def begin_anew(self) -> None:
        """The session holds nothing."""

    def resume(self) -> None:
        """The connection stands: send what is still to be sent of earlier ones."""

    def handle(self, first: int, body: bytes) -> None:
        """Take a packet."""
        raise NotImplementedError

    def complain(self, fault: Fault, what: str) -> None:
        """Against the broker, unless it is dead."""
        if self.world.up:
            self.world.ledger.complain(fault, self.name, what, self.session.journal)

    def cut_off(self) -> None:
        """The connection broke without our doing."""
        said = self.link.goodbye if self.link is not None else None
        reason = "without a word" if said is None else f"with reason {said[:1].hex() or '00'}"
        self.complain(Fault.DISCONNECTED, f"the broker closed the connection {reason}")

    def next_id(self, used: Container[int] = ()) -> int:
        """A packet identifier that is not in use."""
        while True:
            self._packet_id = self._packet_id % 65_535 + 1
            if self._packet_id not in self._answers and self._packet_id not in used:
                return self._packet_id

    async def ask(self, packet_id: int, packet: bytes) -> bytes:
        """Send a packet and wait for the body of the one that answers it. Raises Gone."""
        assert self.link is not None
        self._answers[packet_id] = answer = self.link.future()
        try:
            self.link.send(packet)
            return await self.wait(answer, "SUBSCRIBE, or UNSUBSCRIBE")
        finally:
            del self._answers[packet_id]

    async def wait(self, answer: asyncio.Future[bytes], to: str) -> bytes:
        """For the answer to something, with a deadline. Raises Gone."""
        try:
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            self.unanswered(to)

    def unanswered(self, what: str) -> NoReturn:
        """Complain, and raise Gone."""
        self.complain(Fault.UNANSWERED, f"{what} was not answered within {PATIENCE:g} s")
        raise Gone

    def answered(self, body: bytes) -> None:
        """A SUBACK or UNSUBACK has come."""
        answer = self._answers.get(wire.packet_id_of(body))
        if answer is not None and not answer.done():
            answer.set_result(body)
