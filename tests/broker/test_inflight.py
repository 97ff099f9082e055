"""Messages on their way, against a plain dict of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.broker.inflight import Inflight
from fogbank.broker.runs import MAX_ID, Run
from fogbank.message import Message
from fogbank.mqtt.packets import Puback, Publish
from fogbank.testing.device import decode_all


def run_of(count: int, topic: str = "a/b", payload: bytes = b"x", first_id: int = 7) -> Run:
    """A run as a publisher sends it; the payloads are told apart by their last two bytes."""
    packets = [
        Publish(topic, payload + number.to_bytes(2, "big"), 1, packet_id=(first_id + number) % MAX_ID + 1)
        for number in range(count)
    ]
    frames = b"".join(packet.encode() for packet in packets)
    size = len(frames) // count
    return Run(frames, size, size - len(payload) - 4, size - len(payload) - 2, count)


def publishes(data: bytes | bytearray) -> list[Publish]:
    packets, used = decode_all(bytes(data))
    assert used == len(data)
    assert all(isinstance(packet, Publish) for packet in packets)
    return [packet for packet in packets if isinstance(packet, Publish)]


@given(st.integers(1, 40), st.integers(0, MAX_ID - 1), st.integers(1, MAX_ID - 41))
def test_a_run_is_renumbered_and_acknowledged_as_its_messages_one_by_one(count: int, theirs: int, ours: int) -> None:
    run = run_of(count, first_id=theirs)
    before = publishes(run.frames)
    assert run.acknowledgements() == b"".join(Puback(packet.packet_id).encode() for packet in before)
    after = publishes(run.numbered(ours).frames)
    assert [packet.packet_id for packet in after] == list(range(ours, ours + count))
    assert [packet.payload for packet in after] == [packet.payload for packet in before] == run.payloads()
    assert run.topic == b"\0\3a/b"
    assert [packet.dup for packet in publishes(run.repeated().frames)] == [True] * count
    assert [one.frames for one in run.singles()] == [packet.encode() for packet in before]


@pytest.mark.parametrize("size", [3, 130, 20_000])
def test_the_topic_of_a_run_whatever_the_length_of_its_header(size: int) -> None:
    assert Run.of(Message("some/topic", bytes(size), 1)).topic == b"\0\x0asome/topic"
    assert run_of(2, "some/topic", bytes(size)).topic == b"\0\x0asome/topic"


@pytest.mark.parametrize(("ids", "zero"), [([1], False), ([0], True), ([256, 512], False), ([256, 0], True)])
def test_a_zero_identifier_is_found_wherever_it_stands(ids: list[int], zero: bool) -> None:
    frames = b"".join(b"\x32\x05\x00\x01a" + id_.to_bytes(2, "big") for id_ in ids)
    assert Run(frames, 7, 5, 7, len(ids)).has_zero_id() is zero


class Model:
    """The same in the plainest way."""

    def __init__(self) -> None:
        self.sent: dict[int, bytes] = {}

    def check(self, inflight: Inflight) -> None:
        assert inflight.count == len(self.sent)
        kept = [packet for run in inflight for packet in publishes(run.frames)]
        assert [(packet.packet_id, packet.payload) for packet in kept] == list(self.sent.items())


steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 6)),
        st.tuples(st.just("in order"), st.integers(1, 12)),
        st.tuples(st.just("any"), st.integers(0, 30)),
        st.tuples(st.just("unknown"), st.integers(1, MAX_ID)),
    ),
    max_size=30,
)


@given(steps, st.integers(0, 20), st.binary(max_size=5))
def test_any_order_of_acknowledgements(taken: list[tuple[str, int]], from_the_end: int, after: bytes) -> None:
    """Close to the highest identifier, so that they wrap around past those still in use."""
    inflight, model = Inflight(), Model()
    inflight._next = MAX_ID - from_the_end
    number = 0
    for what, amount in taken:
        if what == "send":
            run = run_of(amount, payload=number.to_bytes(4, "big"))
            number += 1
            sent = inflight.send(run)
            frames = b"".join(one.frames for one in (sent if isinstance(sent, list) else [sent]))
            for packet in publishes(frames):
                assert packet.packet_id not in model.sent
                assert 1 <= packet.packet_id <= MAX_ID
                model.sent[packet.packet_id] = packet.payload
        else:
            outstanding = list(model.sent)
            if what == "in order":
                ids = outstanding[:amount]
            elif what == "any":
                ids = [outstanding[amount % len(outstanding)]] if outstanding else []
            else:
                ids = [amount]
            acks = b"".join(Puback(id_).encode() for id_ in ids)
            if not after.startswith(b"\x40\x02"):
                assert inflight.acknowledge(b"??" + acks + after, 2) == 2 + len(acks)
                for id_ in ids:
                    model.sent.pop(id_, None)
        model.check(inflight)


def test_acknowledging_backwards_is_not_quadratic() -> None:
    """What is acknowledged out of order is taken apart once."""
    inflight = Inflight()
    inflight.send(run_of(20_000))
    inflight.acknowledge(b"".join(Puback(id_).encode() for id_ in range(20_000, 0, -1)), 0)
    assert inflight.count == 0
