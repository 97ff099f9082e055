"""The generator's other modes and TLS, against a broker whose every lie is known."""

import asyncio
import ssl
from pathlib import Path

import msgspec
import pytest
from bench.broker import Endpoint
from bench.credentials import Authority, Credentials
from bench.driver import Outcome, RunError, drive, has_openssl
from bench.memory import client_context, connected
from bench.scenario import Mode, Scenario, Topology
from tests.bench.fake_broker import FakeBroker, Publish, serving

STREAMS = Scenario(name="test", title="test", topology=Topology.PAIRS, publishers=2, subscribers=2, qos=1, window=20)
SINGLE = Scenario(name="test", title="test", publishers=30, qos=0, window=1)
HANDSHAKES = Scenario(name="test", title="test", mode=Mode.HANDSHAKES, publishers=4)
PACED = Scenario(name="test", title="test", publishers=4, rate=400)
STORE = Scenario(name="test", title="test", mode=Mode.STORE, topology=Topology.PAIRS, qos=1, window=20, count=500)
DRAIN = msgspec.structs.replace(STORE, mode=Mode.DRAIN)

needs_openssl = pytest.mark.skipif(not has_openssl(), reason="OpenSSL's headers are not installed")


class Secured:
    """Both sides of mutual TLS."""

    def __init__(self, directory: Path) -> None:
        authority = Authority(directory / "authority")
        self.client = authority.issue("client")
        server = authority.issue("server")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(server.certificate, server.key)
        self.context.load_verify_locations(server.ca)
        self.context.verify_mode = ssl.CERT_REQUIRED


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    return Secured(tmp_path)


async def run(generator: Path, broker: FakeBroker, scenario: Scenario, client: Credentials | None = None) -> Outcome:
    """One short run against the fake broker, which is already serving."""
    endpoint = Endpoint(broker.port, 0, client)
    return await asyncio.to_thread(
        drive, generator, scenario, endpoint, core=None, seconds=0.3, warm_up=0.02, patience=0.3
    )


# --- TLS ---


@needs_openssl
@pytest.mark.parametrize("scenario", [STREAMS, SINGLE, msgspec.structs.replace(SINGLE, qos=1)])
async def test_over_tls_nothing_is_different(generator: Path, secured: Secured, scenario: Scenario) -> None:
    broker = FakeBroker()
    broker.chunk = 7  # a record each
    async with serving(broker, secured.context):
        outcome = await run(generator, broker, scenario, secured.client)
    assert outcome.received == outcome.published == broker.published > 0
    assert broker.acknowledgements == (outcome.received if scenario.qos else 0)
    assert outcome.broken_promises(scenario.qos) == []


@needs_openssl
async def test_a_flood_of_large_records_is_read_to_its_end(generator: Path, secured: Secured) -> None:
    """What OpenSSL has read ahead and epoll knows nothing of must not stay there."""
    broker = FakeBroker()
    wide = msgspec.structs.replace(STREAMS, window=2000)
    async with serving(broker, secured.context):
        outcome = await run(generator, broker, wide, secured.client)
    assert outcome.received == outcome.published > 0
    assert outcome.broken_promises(1) == []


@needs_openssl
async def test_the_generator_looks_at_the_servers_certificate(
    generator: Path, secured: Secured, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other").issue("client")
    wrong = msgspec.structs.replace(secured.client, ca=other.ca)
    async with serving(FakeBroker(), secured.context) as broker:
        with pytest.raises(RunError, match="TLS handshake failed"):
            await run(generator, broker, STREAMS, wrong)


@needs_openssl
def test_credentials_that_are_not_there_are_named(generator: Path, tmp_path: Path) -> None:
    nothing = Credentials(tmp_path / "ca", tmp_path / "certificate", tmp_path / "key")
    with pytest.raises(RunError, match=f"{tmp_path}/ca: "):
        drive(generator, STREAMS, Endpoint(1, 0, nothing), core=None, seconds=0.1, warm_up=0)


# --- handshakes ---


async def test_connections_that_come_and_go_are_counted(generator: Path) -> None:
    async with serving(FakeBroker()) as broker:
        outcome = await run(generator, broker, HANDSHAKES)
        assert 0 < outcome.delivered <= broker.connects


@needs_openssl
async def test_handshakes_are_full_ones(generator: Path, secured: Secured) -> None:
    async with serving(FakeBroker(), secured.context) as broker:
        outcome = await run(generator, broker, HANDSHAKES, secured.client)
        assert 0 < outcome.delivered <= broker.connects
    stats = secured.context.session_stats()
    assert stats["accept_good"] >= broker.connects
    assert stats["hits"] == 0


async def test_a_refused_handshake_ends_the_run(generator: Path) -> None:
    broker = FakeBroker()
    broker.return_code = 5
    async with serving(broker):
        with pytest.raises(RunError, match="refuses the connection"):
            await run(generator, broker, HANDSHAKES)


# --- a schedule ---


async def test_messages_go_out_when_they_are_due(generator: Path) -> None:
    async with serving(FakeBroker()) as broker:
        outcome = await run(generator, broker, PACED)
    assert outcome.published == broker.published == outcome.received
    assert outcome.published == pytest.approx(0.32 * PACED.rate, abs=0.1 * PACED.rate)
    assert 0 < outcome.delay_p50 <= outcome.delay_p99


async def test_delays_count_from_when_messages_were_due(generator: Path) -> None:
    """A broker that is slow to take messages must not delay the clock that it is measured by."""
    broker = FakeBroker()
    broker.delay = 0.05
    async with serving(broker):
        outcome = await run(generator, broker, PACED)
    assert outcome.delay_p50 >= 0.05 / 2  # those that come while it sleeps wait for less
    assert outcome.delay_p99 >= 0.04


# --- a client that is away ---


async def test_what_is_stored_is_drained(generator: Path) -> None:
    async with serving(FakeBroker()) as broker:
        stored = await run(generator, broker, STORE)
        assert stored.published == stored.acknowledged == stored.delivered == STORE.count
        drained = await run(generator, broker, DRAIN)
    assert drained.delivered == drained.received == STORE.count
    assert drained.missing == 0
    assert drained.broken_promises(1) == []


async def test_what_is_forgotten_meanwhile_is_missing(generator: Path) -> None:
    broker = FakeBroker()
    broker.forgets = 3
    async with serving(broker):
        await run(generator, broker, STORE)
        drained = await run(generator, broker, DRAIN)
    assert drained.missing == 3
    assert drained.delivered == STORE.count - 3


async def test_without_a_session_all_is_missing(generator: Path) -> None:
    async with serving(FakeBroker()) as broker:
        drained = await run(generator, broker, DRAIN)
    assert drained.missing == DRAIN.count


async def test_a_store_that_is_never_acknowledged_says_so(generator: Path) -> None:
    broker = FakeBroker()
    broker.acknowledge = lambda _publish, _id: b""
    async with serving(broker):
        stored = await run(generator, broker, STORE)
    assert stored.published == STORE.window
    assert stored.acknowledged == 0


async def test_a_duplicate_in_the_store_is_no_message(generator: Path) -> None:
    broker = FakeBroker()

    def twice(publish: Publish) -> list[Publish]:
        return [publish] * (2 if publish.number == 7 else 1)

    broker.meddle = twice
    async with serving(broker):
        await run(generator, broker, STORE)
        drained = await run(generator, broker, DRAIN)
    assert (drained.delivered, drained.duplicated, drained.missing) == (STORE.count, 1, 0)


# --- idle ones ---


async def test_an_idle_client_is_connected(secured: Secured) -> None:
    async with serving(FakeBroker(), secured.context) as broker:
        with await asyncio.to_thread(connected, broker.port, 1, client_context(secured.client)):
            assert broker.connects == 1


async def test_an_idle_client_that_is_refused_is_no_client() -> None:
    broker = FakeBroker()
    broker.return_code = 5
    async with serving(broker):
        with pytest.raises(ConnectionError, match="refuses connection 3"):
            await asyncio.to_thread(connected, broker.port, 3, None)
