"""AWS's rates: buckets, what `strict` refuses, and the one warning that `aws` gives."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker import quotas
from fogbank.broker.broker import Broker
from fogbank.broker.rates import FORGIVEN, MAX_TOLD, NAMED, NAMING, SINGLES, AccountRates, Bucket, Singles
from fogbank.mqtt import ReasonCode, Version
from fogbank.mqtt.packets import Connack, Puback, Publish, ReturnCode
from fogbank.settings import Limits
from fogbank.testing import FakeClock

from .conftest import make_broker
from .timed import device

V5 = Version.V5


@pytest.fixture
async def strict(fake_clock: FakeClock) -> Broker:
    return await make_broker(fake_clock, Limits.STRICT)


# --- buckets ---


def test_a_bucket_holds_one_seconds_worth(fake_clock: FakeClock) -> None:
    bucket = Bucket(10, fake_clock)
    assert bucket.take(25) == 10
    assert bucket.take() == 0


async def test_a_bucket_fills_at_its_rate(fake_clock: FakeClock) -> None:
    bucket = Bucket(10, fake_clock)
    bucket.take(10)
    assert bucket.wait(3) == pytest.approx(0.3)
    await fake_clock.advance(0.35)
    assert bucket.take(10) == 3
    await fake_clock.advance(1000)
    assert bucket.take(25) == 10


async def test_credit_is_paid_back_first(fake_clock: FakeClock) -> None:
    bucket = Bucket(10, fake_clock)
    bucket.spend(30)
    assert bucket.wait(0) == pytest.approx(2)
    await fake_clock.advance(2)
    assert (bucket.wait(0), bucket.take()) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 30)), max_size=30), st.integers(1, 20))
def test_no_more_than_the_rate_passes(steps: list[tuple[float, int]], rate: int) -> None:
    """In any stretch of time: the rate times the time, and one second's worth."""
    clock = FakeClock()
    bucket = Bucket(rate, clock)
    begun, passed = clock.monotonic(), 0
    for seconds, count in steps:
        clock._now += seconds
        passed += bucket.take(count)
        assert passed <= rate * (clock.monotonic() - begun + 1) + 1e-3


def test_names_are_forgotten(fake_clock: FakeClock) -> None:
    singles = Singles(1, fake_clock)
    for number in range(SINGLES + 100):
        assert singles.take(str(number))
    assert len(singles) <= SINGLES
    assert not singles.take(str(SINGLES + 99))


# --- strict ---


async def test_a_client_connects_once_a_second(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Connect requests per second per client ID"""
    assert (await device(strict).connect("x")).code is ReturnCode.ACCEPTED
    assert await device(strict).connect("x") == Connack(ReturnCode.SERVER_UNAVAILABLE)
    assert (await device(strict, V5).connect("x")).code == ReasonCode.QUOTA_EXCEEDED
    assert len(strict) == 1, "the connection that is there stays"
    await fake_clock.advance(1)
    assert (await device(strict).connect("x")).code is ReturnCode.ACCEPTED


async def test_an_account_connects_so_often(strict: Broker, fake_clock: FakeClock) -> None:
    assert strict.rates is not None
    strict.rates._connects = Bucket(2, fake_clock)
    answers = [(await device(strict).connect(f"x{number}")).code for number in range(3)]
    assert answers == [ReturnCode.ACCEPTED, ReturnCode.ACCEPTED, ReturnCode.SERVER_UNAVAILABLE]


async def test_the_accounts_messages_to_clients(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Outbound publish requests per second per account"""
    assert strict.rates is not None
    strict.rates.outbound = Bucket(5, fake_clock)
    devices = [device(strict) for _ in range(3)]
    for number, one in enumerate(devices):
        await one.accepted(str(number))
        await one.subscribe(("t", 0))
    devices[0].send(*[Publish("t", b"") for _ in range(4)])
    assert sum([len(await one.messages()) for one in devices]) == 5


async def test_the_accounts_messages_from_clients(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Inbound publish requests per second per account"""
    assert strict.rates is not None
    strict.rates.inbound = Bucket(3, fake_clock)
    sender = await device(strict).accepted()
    sender.send(*[Publish("t", b"", 1, packet_id=number + 1) for number in range(5)])
    assert await sender.take() == [Puback(1), Puback(2), Puback(3)]


async def test_subscriptions_beyond_the_rate_are_refused(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Subscriptions per second per account: each filter counts"""
    assert strict.rates is not None
    strict.rates._subscriptions = Bucket(3, fake_clock)
    old, new = await device(strict).accepted("old"), await device(strict, V5).accepted("new")
    assert await old.subscribe(("a", 0), ("b", 0)) == (0, 0)
    assert await old.subscribe(("c", 0), ("d", 0)) == (0x80, 0x80)
    assert await new.subscribe(("c", 0)) == (ReasonCode.QUOTA_EXCEEDED,)
    await fake_clock.advance(1)
    assert await new.subscribe(("c", 0)) == (0,)


async def test_one_retained_message_a_second_on_a_topic(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Retained message inbound publish requests per second per topic; the code is MQTT 5's"""
    old, new = await device(strict).accepted("old"), await device(strict, V5).accepted("new")
    old.send(Publish("t", b"1", 1, retain=True, packet_id=1), Publish("t", b"2", 1, retain=True, packet_id=2))
    assert await old.take() == [Puback(1)]
    assert not old.closed
    new.send(Publish("t", b"3", 1, retain=True, packet_id=3), Publish("u", b"3", 1, retain=True, packet_id=4))
    refused, taken = await new.take()
    assert isinstance(refused, Puback)
    assert (refused.code, taken) == (ReasonCode.QUOTA_EXCEEDED, Puback(4))
    kept = strict.retained.get("t")
    assert kept is not None
    assert kept.message.payload == b"1"


async def test_messages_for_the_absent_are_queued_so_fast(strict: Broker, fake_clock: FakeClock) -> None:
    """[GR] Queued messages per second per account"""
    assert strict.rates is not None
    strict.rates._queued = Bucket(3, fake_clock)
    away, sender = device(strict), await device(strict).accepted("sender")
    await away.connect("away", clean_start=False)
    await away.subscribe(("t", 1))
    away.lose()
    sender.send(*[Publish("t", b"", 1, packet_id=number + 1) for number in range(5)])
    assert len(await sender.take()) == 5, "they are acknowledged all the same"
    session = strict.sessions.get("away")
    assert session is not None
    assert session.store is not None
    assert (session.store.messages, session.dropped) == (3, 2)


async def test_the_connections_api_is_asked_once_a_second_about_a_client(fake_clock: FakeClock) -> None:
    """[GR] DeleteConnection, GetConnection, ListSubscriptions: each 100 a second, and 1 about one client ID"""
    rates = account(fake_clock, Limits.STRICT)
    assert rates.call("GetConnection", "a") is None
    assert rates.call("GetConnection", "a") == "more than 1 GetConnection requests a second per client ID"
    assert rates.call("DeleteConnection", "a") is None, "each operation has its own"
    answers = [rates.call("GetConnection", f"b{number}") for number in range(100)]
    assert answers == [None] * 99 + ["more than 100 GetConnection requests a second"]
    await fake_clock.advance(1)
    assert rates.call("GetConnection", "a") is None


def test_direct_messages_of_the_account(fake_clock: FakeClock) -> None:
    rates = account(fake_clock, Limits.STRICT)
    answers = {rates.direct("a") for _ in range(20_000)}
    assert answers == {None}
    assert rates.direct("a") == "more than 20000 direct messages a second"


# --- aws ---


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "fogbank.broker.rates"]


async def test_aws_warns_once_and_serves_all(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    broker = await make_broker(fake_clock)
    await broker.start()
    sender = await device(broker).accepted("sender")
    await sender.subscribe(("t", 0))
    for _ in range(3):
        sender.send(b"".join(Publish("t", b"", 1, packet_id=number + 1).encode() for number in range(60)))
        got = await sender.take()
        assert len([one for one in got if isinstance(one, Puback)]) == 60
        assert len([one for one in got if isinstance(one, Publish)]) == 60
        await fake_clock.advance(1)
    [warning] = warnings(caplog)
    assert "client 'sender' at 192.0.2.1: more than 100 publishes a second, in and out" in warning
    await broker.close()


async def test_aws_warns_of_bytes(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    broker = await make_broker(fake_clock)
    await broker.start()
    sender = await device(broker).accepted("sender")
    sender.send(*[Publish("t", bytes(100_000)) for _ in range(6)])
    await fake_clock.advance(1)
    assert [one for one in warnings(caplog) if "524288 bytes a second" in one]
    await broker.close()


async def test_aws_is_silent_within_the_rates(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    broker = await make_broker(fake_clock)
    await broker.start()
    sender = await device(broker).accepted("sender")
    for _ in range(10):
        sender.send(*[Publish("t", b"", 1, packet_id=number + 1) for number in range(99)])
        await fake_clock.advance(1)
    assert warnings(caplog) == []
    await broker.close()


async def test_open_counts_nothing(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    broker = await make_broker(fake_clock, Limits.OPEN)
    await broker.start()
    for _ in range(3):
        assert (await device(broker).connect("same")).code == 0
    sender = await device(broker).accepted("sender")
    sender.send(*[Publish("t", b"", retain=True) for _ in range(200)])
    await fake_clock.advance(5)
    assert broker.rates is None
    assert broker.router.tally is None
    assert warnings(caplog) == []
    await broker.close()


async def test_who_reconnects_now_and_then_is_not_warned(
    fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A suite of tests restarts its device at once; one that comes back all the time never gets anywhere at AWS."""
    broker = await make_broker(fake_clock)
    for _ in range(FORGIVEN):
        (await device(broker).accepted("restarted")).lose()
    assert warnings(caplog) == []
    await fake_clock.advance(FORGIVEN)
    for _ in range(3 * FORGIVEN):
        (await device(broker).accepted("restless")).lose()
    assert warnings(caplog) == [
        "client 'restless': more than 1 CONNECT requests a second per client ID; with AWS IoT the excess is refused"
    ]


def account(clock: FakeClock, limits: Limits = Limits.AWS) -> AccountRates:
    rates = quotas.quotas(limits).rates
    assert rates is not None
    return AccountRates(rates, clock)


async def test_a_crowd_is_not_named_one_by_one(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """A load test of a thousand clients costs eleven lines a minute, and each kind of rate has its own."""
    rates = account(fake_clock)
    for number in range(1000):
        rates.passed_by_connection(f"client {number}")
    *named, last = warnings(caplog)
    assert len(named) == NAMED
    assert last == "many clients: more than 100 publishes a second, in and out; no more of them are named for now"
    rates.passed_by_connection("client 3", bytes_=True)
    assert len(warnings(caplog)) == NAMED + 2
    await fake_clock.advance(NAMING)
    rates.passed_by_connection("client 4")
    rates.passed_by_connection("another client")
    assert warnings(caplog)[NAMED + 2 :] == [
        "another client: more than 100 publishes a second, in and out; with AWS IoT the excess is discarded"
    ]


def test_what_all_pass_together_is_told_once(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    rates = account(fake_clock, Limits.STRICT)
    for number in range(10):
        rates.subscribe(f"client '{number}'", 1000)
    assert warnings(caplog) == [
        "all clients together (last client '3'): more than 3000 subscriptions a second; the excess is refused"
    ]


def test_warnings_do_not_fill_the_memory(fake_clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    rates = account(fake_clock)
    caplog.set_level(logging.ERROR)
    for number in range(MAX_TOLD + 100):
        rates.passed_by_connection(str(number))
    assert len(rates.warnings) <= MAX_TOLD
