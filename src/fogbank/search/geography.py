"""Distances on the Earth, and locations as devices write them (developer guide, location-indexing-geoquery)."""

import enum
import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank.search.fields import Point

_RADIUS = 6_371_008.8
"""Metres: the mean radius of the Earth (IUGG)."""

_CARE = 1e-9
"""By how much, relatively and in degrees, a rectangle is larger or smaller than it should be: for rounding."""

_UNITS = {
    "mm": 0.001,
    "cm": 0.01,
    "m": 1.0,
    "km": 1000.0,
    "in": 0.0254,
    "ft": 0.3048,
    "yd": 0.9144,
    "mi": 1609.344,
    "nmi": 1852.0,
}
"""UNVERIFIED which of them AWS takes, beside `km`."""

_LENGTH = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", re.IGNORECASE | re.ASCII)
_NUMBER = r"([+-]?(?:\d{1,20}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?)"
_PAIR = re.compile(rf"{_NUMBER}\s*,\s*{_NUMBER}", re.ASCII)
_WELL_KNOWN_TEXT = re.compile(rf"POINT\s*\(\s*{_NUMBER}\s+{_NUMBER}\s*\)", re.IGNORECASE | re.ASCII)
_LATITUDES, _LONGITUDES = ("lat", "latitude"), ("lon", "long", "longitude")


class Order(enum.Enum):
    """Which comes first where a location is written as two numbers: `geoLocations[].order`."""

    LAT_LON = "LatLon"
    LON_LAT = "LonLat"


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Metres from one point to another along the surface, in degrees: the haversine formula on a sphere."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    turn = math.radians(other_longitude - longitude)
    chord = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * math.sin(turn / 2) ** 2
    return 2 * _RADIUS * math.asin(math.sqrt(min(1.0, chord)))


class Box(msgspec.Struct, frozen=True):
    """A rectangle on the map. It is two where it crosses the 180th meridian."""

    south: float
    north: float
    longitudes: tuple[tuple[float, float], ...]
    """From west to east, once or twice."""


def box(latitude: float, longitude: float, radius: float) -> tuple[Box, Box | None]:
    """A rectangle around the circle, and one within it; None for the latter near the poles and for huge circles."""
    angle = radius / _RADIUS
    reach = math.degrees(angle) * (1 + _CARE) + _CARE
    if angle >= math.pi / 2 or abs(latitude) + reach >= 90:
        return Box(max(-90.0, latitude - reach), min(90.0, latitude + reach), ((-180.0, 180.0),)), None
    centre = math.cos(math.radians(latitude))
    turn = math.degrees(math.asin(min(1.0, math.sin(angle) / centre)))  # a circle is widest poleward of its centre
    outer = Box(latitude - reach, latitude + reach, _spans(longitude, turn * (1 + _CARE) + _CARE))
    high = angle / math.sqrt(2)
    widest = math.cos(max(0.0, abs(math.radians(latitude)) - high))
    chord = (math.sin(angle / 2) ** 2 - math.sin(high / 2) ** 2) / (centre * widest)
    wide = math.degrees(2 * math.asin(math.sqrt(min(1.0, chord)))) * (1 - _CARE)
    rise = math.degrees(high) * (1 - _CARE)
    return outer, Box(latitude - rise, latitude + rise, _spans(longitude, wide))


def _spans(longitude: float, turn: float) -> tuple[tuple[float, float], ...]:
    """From so far west to so far east of a longitude, as degrees between -180 and 180."""
    west, east = longitude - turn, longitude + turn
    if turn >= 180:
        return ((-180.0, 180.0),)
    if west < -180:
        return ((west + 360, 180.0), (-180.0, east))
    if east > 180:
        return ((west, 180.0), (-180.0, east - 360))
    return ((west, east),)


def metres(length: str) -> float | None:
    """`15.5km` in metres; None where it is no length."""
    match = _LENGTH.fullmatch(length)
    unit = None if match is None else _UNITS.get(match[2].lower() or "m")
    return None if match is None or unit is None else float(match[1]) * unit


def coordinates(latitude: float, longitude: float) -> Point | None:
    """The point with these degrees; None where there is none."""
    return Point(latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def location(value: Any, order: Order) -> Point | None:
    """The point that a JSON value stands for; None where it stands for none.

    `POINT(long lat)`, `"lat,long"`, `[lat, long]` (the latter two in the order configured), `{"lat": .., "lon": ..}`.
    """
    match value:
        case str():
            if well_known := _WELL_KNOWN_TEXT.fullmatch(value.strip()):
                return coordinates(float(well_known[2]), float(well_known[1]))
            pair = _PAIR.fullmatch(value.strip())
            return None if pair is None else _ordered(float(pair[1]), float(pair[2]), order)
        case [int() | float() as first, int() | float() as second] if True not in value and False not in value:
            return _ordered(float(first), float(second), order)
        case Mapping():
            latitude, longitude = _first(value, _LATITUDES), _first(value, _LONGITUDES)
            return None if latitude is None or longitude is None else coordinates(latitude, longitude)
    return None


def _ordered(first: float, second: float, order: Order) -> Point | None:
    return coordinates(first, second) if order is Order.LAT_LON else coordinates(second, first)


def _first(value: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    found = next((value[key] for key in keys if key in value), None)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
