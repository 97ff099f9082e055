"""What is measured: shapes of traffic, each with the lead over Mosquitto that Fogbank aims for."""

import enum
from collections.abc import Sequence

import msgspec


class Topology(enum.Enum):
    """Who receives whose messages; the values are the generator's own words."""

    PAIRS = "pairs"
    """Publisher i to subscriber i and to nobody else: independent streams."""
    FAN_OUT = "fan-out"
    """One publisher to every subscriber."""
    FAN_IN = "fan-in"
    """Every publisher, each on a topic of its own, to one subscriber of `bench/+`."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One shape of traffic at one quality of service."""

    name: str
    title: str
    topology: Topology
    publishers: int
    subscribers: int
    qos: int
    window: int
    """Messages outstanding per publisher. 0: as fast as the socket takes them, which only QoS 0 allows."""
    payload: int = 64
    """Bytes."""
    aim: float
    """Delivered messages per second, as a multiple of Mosquitto's."""


SATURATING_WINDOW = 1000
"""Enough to keep a broker busy while acknowledgements travel; with 100 the round trip itself becomes the limit."""

SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="streams-qos0",
        title="2 -> 2 streams, QoS 0",
        topology=Topology.PAIRS,
        publishers=2,
        subscribers=2,
        qos=0,
        window=0,
        aim=6.0,
    ),
    Scenario(
        name="streams-qos1",
        title="2 -> 2 streams, QoS 1",
        topology=Topology.PAIRS,
        publishers=2,
        subscribers=2,
        qos=1,
        window=SATURATING_WINDOW,
        aim=8.0,
    ),
    Scenario(
        name="fanout-qos0",
        title="1 -> 10 fan-out, QoS 0",
        topology=Topology.FAN_OUT,
        publishers=1,
        subscribers=10,
        qos=0,
        window=0,
        aim=20.0,
    ),
    Scenario(
        name="fanout-qos1",
        title="1 -> 10 fan-out, QoS 1",
        topology=Topology.FAN_OUT,
        publishers=1,
        subscribers=10,
        qos=1,
        window=SATURATING_WINDOW,
        aim=20.0,
    ),
    Scenario(
        name="single-qos0",
        title="500 -> 1 singly, QoS 0",
        topology=Topology.FAN_IN,
        publishers=500,
        subscribers=1,
        qos=0,
        window=1,
        aim=1.5,
    ),
    Scenario(
        name="single-qos1",
        title="500 -> 1 singly, QoS 1",
        topology=Topology.FAN_IN,
        publishers=500,
        subscribers=1,
        qos=1,
        window=1,
        aim=1.2,
    ),
)


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
