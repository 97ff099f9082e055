"""What the tests want of a client library, so that one story can be told with each of them."""

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import Inbox
from fogbank.ready import Address, Ready

FAILURE = 0x80
"""The return code of SUBACK in MQTT 3.1.1, whatever the reason."""
NOT_AUTHORIZED = 0x87
"""The reason code of MQTT 5."""


class Version(enum.IntEnum):
    """Protocol levels."""

    V3_1_1 = 4
    V5 = 5


class Door(enum.Enum):
    """The ways in, and what is shown at each."""

    CERTIFICATE = "certificate"
    SIGV4 = "sigv4"
    """WebSocket."""
    AUTHORIZER = "authorizer"
    AUTHORIZER_BY_WEBSOCKET = "authorizer-wss"

    @property
    def by_websocket(self) -> bool:
        """Whether the connection is a WebSocket."""
        return self in (Door.SIGV4, Door.AUTHORIZER_BY_WEBSOCKET)


class Token(msgspec.Struct, frozen=True):
    """What a custom authorizer wants to see."""

    authorizer: str
    key_name: str
    value: str
    signature: str
    """Base64."""
    username: str
    password: str


class Site(msgspec.Struct, frozen=True):
    """Where to connect, and all that can be shown there."""

    where: Ready
    app: App
    certificate: Path
    key: Path
    token: Callable[[], Token]
    """Made when first asked for: an authorizer and its function take a while."""

    def address(self, door: Door) -> Address:
        """Of the listener behind the door."""
        return self.where.wss if door.by_websocket else self.where.mqtts


class Properties(msgspec.Struct, frozen=True, kw_only=True):
    """Those of MQTT 5 that a message bears from one client to another."""

    user: tuple[tuple[str, str], ...] = ()
    response_topic: str | None = None
    correlation: bytes | None = None
    content_type: str | None = None
    expiry: int | None = None
    """Seconds."""


NONE = Properties()


class Arrived(msgspec.Struct, frozen=True):
    """A message as the library handed it over."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    properties: Properties = NONE
    alias: int | None = None
    """The topic alias that came with it, where the library shows it."""


class Will(msgspec.Struct, frozen=True):
    """What is to be published where the client is lost."""

    topic: str
    payload: bytes
    qos: int = 1


class Connected(msgspec.Struct, frozen=True):
    """What CONNACK said."""

    session_present: bool
    client_id: str
    """That which the server assigned, where the client had none."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to connect."""

    client_id: str
    persistent: bool = False
    """Take up the session, and keep it: clean_session=0, or clean_start=0 with an expiry."""
    will: Will | None = None
    aliases: bool = False
    """Use topic aliases, both ways, as far as the library does."""
    port: int | None = None
    """Instead of the server's, where something stands between."""


class Client(Protocol):
    """One client; everything waits until it is answered, with a deadline."""

    messages: Inbox[Arrived]

    def connect(self) -> Connected: ...

    def subscribe(self, filter_: str, qos: int = 1) -> int:
        """The return or reason code."""
        ...

    def unsubscribe(self, filter_: str) -> None: ...

    def publish(
        self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False, properties: Properties = NONE
    ) -> int:
        """The reason code, as far as the library tells it; else 0."""
        ...

    def close(self) -> None:
        """Say goodbye, or just end where the connection is gone. Once more does nothing."""
        ...


class Library(Protocol):
    """Makes clients."""

    def __call__(self, site: Site, version: Version, door: Door, options: Options) -> Client: ...


SESSION_EXPIRY = 600
"""Seconds that a persistent session outlives its connection, at level 5."""


def take(client: Client, topic: str) -> Arrived:
    """The next message on the topic."""
    return client.messages.take(f"a message on {topic}", lambda message: message.topic == topic)


def only(**values: Any) -> dict[str, Any]:
    """Those that are not None: libraries take what is not given for what is not wanted."""
    return {name: value for name, value in values.items() if value is not None}
