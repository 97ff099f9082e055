"""Distances, rectangles around and within circles, and locations as devices write them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.search.fields import Point
from fogbank.search.geography import Box, Order, box, distance, location, metres

degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
radii = st.floats(0, 2.1e7) | st.floats(0, 1e4)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0, 0), (0, 0), 0),
        ((0, 0), (0, 180), math.pi * 6371008.8),
        ((90, 0), (90, 123), 0),
        ((0, 0), (1, 0), 111195.08),
        ((52.5200, 13.4050), (48.8566, 2.3522), 877_464),  # Berlin, Paris
        ((0, 179.5), (0, -179.5), 111195.08),
    ],
)
def test_distances(one: tuple[float, float], other: tuple[float, float], expected: float) -> None:
    assert distance(*one, *other) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def _within(sides: Box, point: tuple[float, float]) -> bool:
    return sides.south <= point[0] <= sides.north and any(west <= point[1] <= east for west, east in sides.longitudes)


@given(degrees, radii, degrees, st.floats(0, 360), st.floats(0, 1.2))
def test_the_outer_rectangle_has_all_of_the_circle_and_the_inner_one_nothing_else(
    centre: tuple[float, float], radius: float, other: tuple[float, float], bearing: float, share: float
) -> None:
    outer, inner = box(*centre, radius)
    for point in (other, _from(centre, bearing, radius * share)):
        away = distance(*centre, *point)
        if away <= radius:
            assert _within(outer, point)
        if inner is not None and _within(inner, point):
            assert away <= radius


def _from(start: tuple[float, float], bearing: float, length: float) -> tuple[float, float]:
    angle, turn = length / 6371008.8, math.radians(bearing)
    latitude, longitude = map(math.radians, start)
    sine = math.sin(latitude) * math.cos(angle) + math.cos(latitude) * math.sin(angle) * math.cos(turn)
    new = math.asin(max(-1.0, min(1.0, sine)))
    shift = math.atan2(
        math.sin(turn) * math.sin(angle) * math.cos(latitude), math.cos(angle) - math.sin(latitude) * math.sin(new)
    )
    east = math.degrees(longitude + shift)
    return math.degrees(new), (east + 540) % 360 - 180


@pytest.mark.parametrize(
    ("value", "order", "expected"),
    [
        # the formats of location-indexing-geoquery, "Supported data formats"
        ("POINT(-71.34 41.12)", Order.LAT_LON, Point(41.12, -71.34)),
        (" point ( -71.34   41.12 ) ", Order.LON_LAT, Point(41.12, -71.34)),
        ("41.12,-71.34", Order.LAT_LON, Point(41.12, -71.34)),
        ("-71.34, 41.12", Order.LON_LAT, Point(41.12, -71.34)),
        ({"lat": 41.12, "lon": -71.34}, Order.LAT_LON, Point(41.12, -71.34)),
        ({"latitude": 41, "long": -71, "altitude": 3}, Order.LON_LAT, Point(41, -71)),
        ({"latitude": 41, "longitude": -71}, Order.LAT_LON, Point(41, -71)),
        ([41.12, -71.34], Order.LAT_LON, Point(41.12, -71.34)),
        ([-71.34, 41.12], Order.LON_LAT, Point(41.12, -71.34)),
        # and what is none
        ([-171.34, 41.12], Order.LAT_LON, None),
        ([1, 2, 3], Order.LAT_LON, None),
        ([True, False], Order.LAT_LON, None),
        (["1", "2"], Order.LAT_LON, None),
        ({"lat": 1}, Order.LAT_LON, None),
        ({"lat": "1", "lon": 2}, Order.LAT_LON, None),
        ("91,0", Order.LAT_LON, None),
        ("1;2", Order.LAT_LON, None),
        ("1" * 5000, Order.LAT_LON, None),
        ("", Order.LAT_LON, None),
        (None, Order.LAT_LON, None),
        (5, Order.LAT_LON, None),
    ],
)
def test_locations(value: Any, order: Order, expected: Point | None) -> None:
    assert location(value, order) == expected


@pytest.mark.parametrize(
    ("length", "expected"), [("1km", 1000), ("1.5KM", 1500), ("2mi", 3218.688), ("3", 3), (".5m", 0.5)]
)
def test_lengths(length: str, expected: float) -> None:
    assert metres(length) == pytest.approx(expected)


@pytest.mark.parametrize("length", ["", "km", "-1km", "1 lightyear", "1e3m", "٣m"])
def test_what_is_no_length(length: str) -> None:
    assert metres(length) is None
