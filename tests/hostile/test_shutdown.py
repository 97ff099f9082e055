"""SIGTERM under load: clients are told, wills are published, and all that was acknowledged is there after a restart."""

import threading
from pathlib import Path

import pytest
from tests.hostile.certificates import ALLOW_ALL, Credentials, issue
from tests.hostile.mqtt import Client, Closed
from tests.hostile.server import Server
from tests.hostile.siege import tracebacks

from fogbank.mqtt import Properties, ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import Disconnect, Puback, Publish, Will

BATCH = 50
PUBLISHERS = 4
ENOUGH = 2000
"""Acknowledged messages after which the server is ended."""
FOR_AN_HOUR = Properties(session_expiry=3600)


class Publisher:
    """Publishes numbers at QoS 1 without end, and knows which were acknowledged. Half of them speak MQTT 5."""

    def __init__(self, server: Server, number: int, enough: threading.Event) -> None:
        self.name = f"publisher-{number}"
        self.acknowledged: set[bytes] = set()
        self.farewell: Disconnect | None = None
        self._client = server.client(self.name, Version.V5 if number % 2 else Version.V3_1_1)
        self._enough = enough
        self.thread = threading.Thread(target=self._run, name=self.name)
        self.thread.start()

    def _run(self) -> None:
        under_way: dict[int, bytes] = {}
        count = 0
        try:
            while True:
                batch = []
                for _ in range(BATCH):
                    count += 1
                    packet_id, payload = self._client.next_id(), f"{self.name} {count}".encode()
                    under_way[packet_id] = payload
                    batch.append(Publish("owed/all", payload, 1, packet_id=packet_id))
                self._client.send(*batch)
                while under_way:
                    self._take(*self._client.packet(), under_way)
                if len(self.acknowledged) >= ENOUGH // PUBLISHERS:
                    self._enough.set()
        except (Closed, ConnectionError):
            pass
        try:  # what came before the end may not have been read yet
            while True:
                self._take(*self._client.packet(), under_way)
        except (Closed, ConnectionError):
            self._client.close()

    def _take(self, first: int, body: bytes, under_way: dict[int, bytes]) -> None:
        if first == PacketType.DISCONNECT << 4:
            self.farewell = Disconnect.decode(body, self._client.version)
        else:
            puback = Puback.decode(body, self._client.version)
            self.acknowledged.add(under_way.pop(puback.packet_id))


def everything(server: Server, version: Version, client_id: str, count: int) -> list[bytes]:
    """What waits for a persistent session, at least so many messages."""
    with server.client(client_id, version, clean=False, properties=_lasting(version)) as client:
        got = [client.message().payload for _ in range(count)]
        client.link.settimeout(0.5)
        try:
            while True:
                got.append(client.message().payload)
        except TimeoutError:
            return got


def _lasting(version: Version) -> Properties:
    return FOR_AN_HOUR if version is Version.V5 else Properties()


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Clients publish at QoS 1 to two sessions that are offline while the server ends."""
    server = Server(tmp_path, "--limits", "open")
    offline = [(Version.V3_1_1, "away-3"), (Version.V5, "away-5")]
    with server:
        for version, client_id in offline:
            with server.client(client_id, version, clean=False, properties=_lasting(version)) as client:
                assert client.subscribe("owed/#", qos=1) == (1,)
        enough = threading.Event()
        publishers = [Publisher(server, number, enough) for number in range(PUBLISHERS)]
        assert enough.wait(20)
        server.stop()
        assert server.process.returncode == 0
        for publisher in publishers:
            publisher.thread.join(10)
        told = [publisher.farewell.code if publisher.farewell else None for publisher in publishers]
        assert told == [None, ReasonCode.SERVER_SHUTTING_DOWN] * (PUBLISHERS // 2)
        acknowledged = set().union(*[publisher.acknowledged for publisher in publishers])
        assert len(acknowledged) >= ENOUGH // PUBLISHERS
        server.start()
        for version, client_id in offline:
            got = everything(server, version, client_id, len(acknowledged))
            assert acknowledged - set(got) == set()
            assert len(got) == len(set(got)), "what was never under way does not come twice"
        assert tracebacks(server.lines()) == []


@pytest.mark.parametrize("way", ["plain", "tls"])
def test_wills_are_published_and_sessions_stay(tmp_path: Path, way: str) -> None:
    """[MQTT-3.1.2-8], and of disconnectReason SERVER_INITIATED_DISCONNECT: the will is sent. (AWS, Lifecycle events)

    That of MQTT 5's client with a delay is not due yet when the server ends: it comes after the restart.
    """
    server = Server(tmp_path)
    with server:
        credentials = issue(server, tmp_path / "certificates", "client", ALLOW_ALL)
        with joined(server, way, credentials, "heir", clean=False) as heir:
            assert heir.subscribe("estate/#", qos=1) == (1,)
        gone = joined(server, way, credentials, "gone", clean=False, will=Will("estate/now", b"now", 1))
        late = joined(
            server,
            way,
            credentials,
            "late",
            Version.V5,
            will=Will("estate/later", b"later", 1, False, Properties(will_delay=2)),
            properties=FOR_AN_HOUR,
        )
        assert gone.subscribe("mine", qos=1) == (1,)
        server.stop()
        assert server.process.returncode == 0
        with pytest.raises(Closed):
            gone.packet()
        first, body = late.packet()
        assert first == PacketType.DISCONNECT << 4
        assert Disconnect.decode(body, Version.V5).code is ReasonCode.SERVER_SHUTTING_DOWN
        server.start()
        with joined(server, way, credentials, "heir", clean=False) as heir:
            assert [heir.message().payload for _ in range(2)] == [b"now", b"later"]
            heir.publish("mine", b"kept", qos=1)
        with joined(server, way, credentials, "gone", clean=False) as back:
            assert back.message().payload == b"kept"
        for client in (gone, late):
            client.close()
        assert tracebacks(server.lines()) == []


def joined(
    server: Server,
    way: str,
    credentials: Credentials,
    client_id: str,
    version: Version = Version.V3_1_1,
    **connect: object,
) -> Client:
    """A connected client, by either way."""
    link = server.connect("plain_mqtt") if way == "plain" else server.tls("mqtts", credentials.files)
    return Client(link, version).connect(client_id, **connect)  # type: ignore[arg-type]


def test_a_client_that_does_not_read_does_not_delay_the_end(tmp_path: Path) -> None:
    with Server(tmp_path, "--limits", "open") as server:
        with server.client("deaf") as deaf, server.client("loud") as loud:
            deaf.subscribe("#")
            for _ in range(200):
                loud.publish("much", bytes(100_000), qos=1)
            server.stop()
        assert server.process.returncode == 0
        assert tracebacks(server.lines()) == []
