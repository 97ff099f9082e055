"""What is counted of the broker, after a few things have happened whose numbers are known."""

import pytest

from fogbank.broker.broker import Broker
from fogbank.broker.metrics import Metrics
from fogbank.message import Message
from fogbank.mqtt.packets import Puback
from fogbank.ports import StorageError

from .conftest import MakeDevice

NOTHING = Metrics(
    connections=0,
    sessions=0,
    subscriptions=0,
    shared_groups=0,
    retained_messages=0,
    retained_bytes=0,
    queued_messages=0,
    queued_bytes=0,
    dropped_messages=0,
    throttled=0,
    commits=0,
    failed_commits=0,
)


async def test_a_new_broker_has_nothing(broker: Broker) -> None:
    assert broker.metrics() == NOTHING


async def test_clients_and_what_they_subscribe_to(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("one")
    await one.subscribe(("a", 0), ("b", 1))
    other = await device().accepted("other", clean_start=False)
    await other.subscribe(("$share/g/c", 1))
    other.lose()
    metrics = broker.metrics()
    assert (metrics.connections, metrics.sessions, metrics.subscriptions, metrics.shared_groups) == (1, 2, 3, 1)
    assert metrics.commits > 0


async def test_retained_messages(broker: Broker) -> None:
    await broker.router.publish(Message("a", b"x", retain=True))
    metrics = broker.metrics()
    assert (metrics.retained_messages, metrics.retained_bytes) == (1, broker.retained.size)
    assert metrics.commits == 1


@pytest.mark.parametrize("clean_start", [False, True])
async def test_messages_that_are_owed(broker: Broker, device: MakeDevice, clean_start: bool) -> None:
    one = await device().accepted("one", clean_start=clean_start)
    await one.subscribe(("a", 1))
    for _ in range(broker.quotas.inflight + 5):
        await broker.router.publish(Message("a", b"x", 1))
    assert broker.metrics().queued_messages == broker.quotas.inflight + 5
    assert broker.metrics().queued_bytes >= 5 * len(b"\x32\x06\0\1a\0\1x")
    one.send(*(Puback(number) for number in range(1, broker.quotas.inflight + 6)))
    await one.take()
    metrics = broker.metrics()
    assert (metrics.queued_messages, metrics.queued_bytes) == (0, 0)


async def test_messages_that_wait_for_a_group(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("one", clean_start=False)
    await one.subscribe(("$share/g/a", 1))
    one.lose()
    await broker.router.publish(Message("a", b"x", 1))
    metrics = broker.metrics()
    assert (metrics.queued_messages, metrics.queued_bytes) == (1, len(b"\x32\x06\0\1a\0\1x"))


async def test_the_drop_rule_is_counted(broker: Broker, device: MakeDevice) -> None:
    one = await device().accepted("one", clean_start=False)
    await one.subscribe(("a", 1))
    one.lose()
    big = bytes(broker.quotas.max_payload)
    fits = broker.quotas.queued_bytes // (len(big) + 10)
    for _ in range(fits + 3):
        broker.router.deliver(Message("a", big, 1))
    assert (broker.metrics().queued_messages, broker.metrics().dropped_messages) == (fits, 3)


async def test_commits_that_fail(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(broker.journal._backlogs, "commit", fail)
    with pytest.raises(StorageError):
        await broker.router.publish(Message("a", b"x", retain=True))
    assert (broker.metrics().commits, broker.metrics().failed_commits) == (0, 1)
