"""`--limits strict` as a client sees it: a real process that holds everybody to AWS's rates."""

import time
from collections.abc import Iterator

import pytest
from tests.hostile.mqtt import Client, Closed
from tests.hostile.server import Server
from tests.hostile.siege import tracebacks

from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.codec import PacketType
from fogbank.mqtt.packets import PINGREQ, Puback, Publish


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("strict"), "--limits", "strict") as server:
        yield server
    assert tracebacks(server.lines()) == []
    assert server.process.returncode == 0


def acknowledged(client: Client, count: int) -> int:
    """Publish so many messages at once, and see how many are acknowledged before a ping is answered."""
    client.send(*[Publish("t", b"x", 1, packet_id=number + 1) for number in range(count)], PINGREQ)
    found = 0
    while client.packet()[0] != PacketType.PINGRESP << 4:
        found += 1
    return found


@pytest.mark.parametrize("version", Version)
def test_a_burst_is_cut_off(strict: Server, version: Version) -> None:
    """100 messages a second; those beyond are discarded, which at QoS 1 shows: they are not acknowledged."""
    with strict.client(f"burst-{int(version)}", version) as client:
        begun = time.monotonic()
        count = acknowledged(client, 99) + acknowledged(client, 99)
        assert 100 <= count <= 101 + 100 * (time.monotonic() - begun)


def test_a_client_id_connects_once_a_second(strict: Server) -> None:
    refused: list[int] = []
    begun = time.monotonic()
    for _ in range(10):
        try:
            strict.client("restless", Version.V5).close()
        except Closed as closed:
            refused += closed.args
    assert 10 - len(refused) <= 1 + (time.monotonic() - begun)
    assert set(refused) == {ReasonCode.QUOTA_EXCEEDED}


def test_a_topic_is_retained_once_a_second(strict: Server) -> None:
    with strict.client("retainer", Version.V5) as client:
        client.send(*[Publish("kept", b"x", 1, retain=True, packet_id=number + 1) for number in range(3)])
        codes = [Puback.decode(client.packet()[1], client.version).code for _ in range(3)]
        assert codes == [ReasonCode.SUCCESS, ReasonCode.QUOTA_EXCEEDED, ReasonCode.QUOTA_EXCEEDED]


def test_http_is_throttled_too(strict: Server) -> None:
    """Once a second about one client ID, and once a second to be retained on one topic."""
    with strict.client("looked-at"):
        answers = [strict.ask("iotdata", "GET", "/connections/looked-at") for _ in range(10)]
    posts = [strict.ask("iotdata", "POST", "/topics/http", b"x", query="qos=1&retain=true") for _ in range(10)]
    for first, *others in (answers, posts):
        assert first[0] == 200
        refused = {headers.get("x-amzn-errortype") for status, headers, _ in others if status == 429}
        assert refused == {"ThrottlingException"}


def test_a_stream_of_bytes_is_slowed_down(strict: Server) -> None:
    """512 KB a second: what is sent in one go takes three seconds, and nobody else waits."""
    with strict.client("heavy") as heavy, strict.client("light") as light:
        begun = time.monotonic()
        heavy.send(*[Publish("t", bytes(100_000)) for _ in range(20)], PINGREQ)
        light.ping()
        assert time.monotonic() - begun < 1
        while heavy.packet()[0] != PacketType.PINGRESP << 4:
            pass
        assert 2 < time.monotonic() - begun < 8
