"""A client with a will, which dies in every way there is."""

import asyncio
from collections.abc import Sequence

from tests.torture import area, wire
from tests.torture.client import Client, World
from tests.torture.ledger import Message
from tests.torture.link import Gone
from tests.torture.wire import Version

PAUSE = 0.08
"""Mean seconds of a connection, where the broker lives for so long."""
POLITE = 0.4
"""How often it takes its will back."""


class Mortal(Client):
    """Its will is a message like any other, sent with CONNECT and owed to subscribers from the moment it is lost: by
    its own doing or because the broker died, who keeps it over that (MQTT 5, 3.1.2.5: it may be published after a
    restart). Once it has taken it back and the broker has answered it again, nobody may get it."""

    def __init__(
        self, world: World, name: str, version: Version, *, qos: int, topics: Sequence[str], persistent: bool
    ) -> None:
        super().__init__(world, name, version, persistent=persistent)
        self._qos = qos
        self._topics = topics
        self._hoped: Message | None = None
        """The will of the CONNECT under way."""
        self._left: Message | None = None
        """The will of the connection that stands."""
        self._taken_back: Message | None = None
        """The will of one that this broker has been told about the end of."""

    async def live(self) -> None:
        """Come and go until the broker dies."""
        self._taken_back = None
        try:
            while True:
                await self.connect()
                await asyncio.sleep(self.random.expovariate(1 / PAUSE))
                if not self.connected:
                    raise Gone
                if self.random.random() < POLITE:
                    await self._leave()
                else:
                    self.drop()
        except Gone:
            self.cut_off()

    def will(self) -> wire.Will:
        topic = self.random.choice(self._topics)
        self._hoped = message = self.world.ledger.send(topic, self._qos, is_will=True)
        return wire.Will(message.topic, area.payload_of(message.topic, message.number, 100), self._qos)

    def resume(self) -> None:
        self._left, self._hoped = self._hoped, None
        if self._taken_back is not None:
            self.world.ledger.withdrawn(self._taken_back)
            self._taken_back = None

    def drop(self) -> None:
        super().drop()
        if self._left is not None:
            self.world.ledger.acknowledged(self._left)
            self._left = None

    def handle(self, first: int, body: bytes) -> None:
        """Nothing is sent to it."""

    async def _leave(self) -> None:
        assert self.link is not None
        left, self._left = self._left, None  # if the broker dies meanwhile, this will may be published or not
        await self.link.leave()
        self.link = None
        self._taken_back = left
