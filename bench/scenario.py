"""What is measured by traffic: its shapes, each with what is asked of Fogbank."""

import enum
from collections.abc import Iterator, Sequence

import msgspec

from bench.figure import Aim, Bound


class Topology(enum.Enum):
    """Who receives whose messages; the values are the generator's own words."""

    PAIRS = "pairs"
    """Publisher i to subscriber i and to nobody else: independent streams."""
    FAN_OUT = "fan-out"
    """One publisher to every subscriber."""
    FAN_IN = "fan-in"
    """Every publisher, each on a topic of its own, to one subscriber of `bench/+`."""
    NOWHERE = "nowhere"
    """Publishers alone; what becomes of their messages is counted elsewhere."""


class Mode(enum.Enum):
    """What the generator does; the values are its own words."""

    TRAFFIC = "traffic"
    HANDSHAKES = "handshakes"
    STORE = "store"
    DRAIN = "drain"


class Form(enum.Enum):
    """What payloads look like; the values are the generator's own words."""

    BYTES = "bytes"
    JSON = "json"
    """Readings of a device, and the same that the other form tells: whose message it is and the how manieth."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of traffic at one quality of service."""

    name: str
    title: str
    mode: Mode = Mode.TRAFFIC
    topology: Topology = Topology.FAN_IN
    publishers: int = 1
    subscribers: int = 1
    qos: int = 0
    window: int = 0
    """Messages outstanding per publisher. 0: as fast as the socket takes them, which only QoS 0 allows."""
    payload: int = 64
    """Bytes."""
    form: Form = Form.BYTES
    topic: str = "bench"
    """Publisher i publishes to `topic`/i..."""
    arrives: str = "bench"
    """...and that arrives at `arrives`/i."""
    tls: bool = False
    rate: int = 0
    """Messages per second on a schedule, of all publishers together; 0: as fast as the above allows."""
    count: int = 0
    """Messages of each publisher; 0: for as long as it is measured."""
    aim: Aim | None = None


SATURATING_WINDOW = 1000
"""Enough to keep a broker busy while acknowledgements travel; with 100 the round trip itself becomes the limit."""


def _at_least(amount: float, of: str = "mosquitto") -> Aim:
    return Aim(Bound.LEAST, amount, of)


def _streams() -> Iterator[Scenario]:
    for qos, aim in ((0, _at_least(1, "nats")), (1, _at_least(10))):
        yield Scenario(
            name=f"streams-qos{qos}",
            title=f"2 -> 2 streams, QoS {qos}",
            topology=Topology.PAIRS,
            publishers=2,
            subscribers=2,
            qos=qos,
            window=SATURATING_WINDOW if qos else 0,
            aim=aim,
        )


def _fan_out() -> Iterator[Scenario]:
    for subscribers in (10, 200):
        for qos in (0, 1):
            yield Scenario(
                name=f"fanout-{subscribers}-qos{qos}",
                title=f"1 -> {subscribers} fan-out, QoS {qos}",
                topology=Topology.FAN_OUT,
                subscribers=subscribers,
                qos=qos,
                window=SATURATING_WINDOW if qos else 0,
                aim=_at_least(20),
            )


_SINGLE_AIMS = {
    (500, False): (1.5, 1.2),
    (1000, False): (2.0, 1.5),
    (500, True): (1.5, 1.1),
    (1000, True): (1.5, 1.1),
}
"""By publishers and TLS: at QoS 0 and at QoS 1, as multiples of Mosquitto's."""


def _singles() -> Iterator[Scenario]:
    for (publishers, tls), aims in _SINGLE_AIMS.items():
        for qos in (0, 1):
            yield Scenario(
                name=f"{'tls-' if tls else ''}single-{publishers}-qos{qos}",
                title=f"{publishers} -> 1 singly, QoS {qos}{', mutual TLS' if tls else ''}",
                publishers=publishers,
                qos=qos,
                window=1,
                tls=tls,
                aim=_at_least(aims[qos]),
            )


HANDSHAKES = Scenario(
    name="tls-handshakes", title="mutual TLS handshakes, 32 at once", mode=Mode.HANDSHAKES, publishers=32, tls=True,
    aim=_at_least(1.2),
)  # fmt: skip


def _latencies() -> Iterator[Scenario]:
    for tls in (False, True):
        yield Scenario(
            name="tls-latency" if tls else "latency",
            title=f"20 -> 1, 2000 msg/s{', mutual TLS' if tls else ''}",
            publishers=20,
            rate=2000,
            tls=tls,
            aim=Aim(Bound.MOST, 1.5),
        )


SCENARIOS: tuple[Scenario, ...] = (*_streams(), *_fan_out(), *_singles(), HANDSHAKES, *_latencies())


def select(prefixes: Sequence[str], window: int | None = None) -> list[Scenario]:
    """The scenarios whose names begin with one of `prefixes` (all where there are none).

    `window` replaces that of the saturated QoS 1 scenarios; the others' is what makes them what they are.
    """
    chosen = [scenario for scenario in SCENARIOS if not prefixes or scenario.name.startswith(tuple(prefixes))]
    if window is None:
        return chosen
    return [
        msgspec.structs.replace(scenario, window=window) if scenario.window == SATURATING_WINDOW else scenario
        for scenario in chosen
    ]
