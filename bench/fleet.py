"""A fleet to be searched: things with attributes, groups, shadows and connections, the same ones at every run."""

import random
from collections.abc import Iterator
from typing import Any

from fogbank.registry.index.configuration import FieldType
from fogbank.registry.index.entry import Connectivity, ThingEntry
from fogbank.search.geography import Order

_SINCE = 1_557_651_600
"""Seconds since the epoch: where the times of the guide's examples begin."""
_SPAN = 216_000
_PLACES = ("new york", "seattle", "berlin", "tokyo", "paris")
_REASONS = ("CLIENT_INITIATED_DISCONNECT", "CONNECTION_LOST", "MQTT_KEEP_ALIVE_TIMEOUT")
_MODES = ("eco", "boost", "off")


def fleet(count: int, seed: int = 1) -> Iterator[ThingEntry]:
    """So many things, in the order of their names, as a registry is read."""
    chance = random.Random(seed)
    return (thing(i, chance) for i in range(count))


def thing(i: int, chance: random.Random) -> ThingEntry:
    """The thing of this number in one of its states."""
    prefix = ("ab", "my", "sensor", "tv")[i // 2500 % 4]
    return ThingEntry(
        name=f"{prefix}{i:07}",
        id=f"{i:032x}",
        stamp=str(i),
        version=1 + i % 5,
        type_name=chance.choice(("aa", "lamp", "tv")),
        group_names=tuple(chance.sample(("cellar", "ground", "first", "roof"), 2)),
        attributes={
            "model": chance.choice(("legacy", "m1", "m2", "m3", "m4")),
            "serialNumber": f"{chance.randrange(0xA000, 0xB000):04x}",
            "myAttribute": str(chance.randrange(200)),
            "attr1": chance.choice(("abc", "def", "it")),
            "attr2": str(chance.randrange(10)),
            "attr3": str(chance.randrange(20)),
        },
        shadows=_shadows(i, chance),
        connectivity=_connectivity(chance),
        locations={"shadow.reported.gps": Order.LAT_LON},
        custom_fields={"shadow.reported.stats.battery": FieldType.NUMBER},
    )


def _shadows(i: int, chance: random.Random) -> dict[str | None, dict[str, Any]]:
    reported = {
        "location": chance.choice(_PLACES),
        "myvalues": [chance.randrange(10) for _ in range(3)],
        "stats": {"battery": chance.randrange(101), "cpu": round(chance.random() * 100, 2)},
        "firmware": chance.choice(("v1", "v2", "v3", "v4")),
        "temperature": round(chance.gauss(20, 8), 1),
        "config": {"mode": chance.choice(_MODES), "interval": chance.choice((10, 30, 60))},
        "gps": {"lat": round(chance.uniform(-60, 70), 4), "lon": round(chance.uniform(-180, 180), 4)},
    }
    desired: dict[str, Any] = {"config": {"mode": chance.choice(_MODES)}, "firmware": "v4"}
    if chance.random() < 0.3:
        desired["stats"] = {"battery": 100}
    shadows: dict[str | None, dict[str, Any]] = {None: _shadow(reported, desired, chance)}
    if i % 4 == 0:
        wanted = {"filament": chance.choice(("pla", "abs"))}
        shadows["thing1shadow"] = _shadow({"filament": "pla", "location": "shelf"}, wanted, chance)
    return shadows


def _shadow(reported: dict[str, Any], desired: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    now = _SINCE + chance.randrange(_SPAN)
    delta = {key: value for key, value in desired.items() if reported.get(key) != value}
    return {
        "state": {"desired": desired, "reported": reported} | ({"delta": delta} if delta else {}),
        "metadata": {"desired": _stamped(desired, now), "reported": _stamped(reported, now)},
        "version": chance.randrange(1, 50),
    }


def _stamped(value: Any, now: int) -> Any:
    if isinstance(value, dict):
        return {key: _stamped(below, now) for key, below in value.items()}
    return [{"timestamp": now} for _ in value] if isinstance(value, list) else {"timestamp": now}


def _connectivity(chance: random.Random) -> Connectivity:
    kind, now = chance.random(), (_SINCE + chance.randrange(_SPAN)) * 1000 + chance.randrange(1000)
    if kind < 0.1:
        return Connectivity()
    if kind < 0.7:
        return Connectivity(connected=True, timestamp=now)
    return Connectivity(connected=False, timestamp=now, disconnect_reason=chance.choice(_REASONS))
