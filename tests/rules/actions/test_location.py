"""The action `location`, by what it sends."""

from typing import Any

import pytest
from tests.rules.actions.workbench import ROLE, Workbench

from fogbank.errors import InvalidRequest
from fogbank.testing import FakeClock


def location(**more: Any) -> dict[str, Any]:
    members = {
        "roleArn": ROLE,
        "trackerName": "fleet",
        "deviceId": "${id}",
        "latitude": "${lat}",
        "longitude": "${lon}",
    }
    return {"location": {**members, **more}}


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [({}, 7.2), ({"unit": "SECONDS"}, 7200.0), ({"unit": "MICROSECONDS"}, 0.0072), ({"unit": "${u}"}, 7200.0)],
)
async def test_the_position_that_is_told(recorded: Workbench, unit: dict[str, str], seconds: float) -> None:
    """Positions are longitude first (API Reference, DevicePositionUpdate); MILLISECONDS is the default."""
    recorded.rule(location(timestamp={"value": "${at}", **unit}))
    assert await recorded.send({"id": "lamp", "lat": 52.5, "lon": -13.25, "at": 7200, "u": "SECONDS"}) == []
    update = {"DeviceId": "lamp", "Position": [-13.25, 52.5], "SampleTime": seconds}
    assert recorded.aws.calls == [("location:BatchUpdateDevicePosition", {"TrackerName": "fleet", "Updates": [update]})]


async def test_without_a_timestamp_it_is_now(recorded: Workbench) -> None:
    recorded.rule(location())
    assert await recorded.send({"id": "lamp", "lat": 1, "lon": 2}) == []
    assert recorded.aws.calls[0][1]["Updates"][0]["SampleTime"] == recorded.clock.time()


async def test_devices_go_by_tens_and_a_refused_one_fails_alone(recorded: Workbench, clock: FakeClock) -> None:
    error = {"DeviceId": "d3", "Error": {"Code": "ValidationError", "Message": "no such place"}}
    recorded.aws.answers["BatchUpdateDevicePosition"] = [{"Errors": [error]}, {"Errors": []}]
    recorded.rule(location())
    for n in range(13):
        recorded.publish({"id": f"d{n}", "lat": 1, "lon": 2})
    await clock.advance(0)
    assert [len(params["Updates"]) for _, params in recorded.aws.calls] == [10, 3]
    [failed] = recorded.failures
    assert "no such place" in failed


@pytest.mark.parametrize(("payload", "told"), [({"lon": 2}, "latitude"), ({"lat": 1, "lon": "east"}, "longitude")])
async def test_what_is_no_position(recorded: Workbench, payload: dict[str, Any], told: str) -> None:
    recorded.rule(location())
    [failed] = await recorded.send({"id": "lamp", **payload})
    assert f"{told} must be a number" in failed


async def test_what_is_no_unit(recorded: Workbench) -> None:
    recorded.rule(location(timestamp={"value": "1", "unit": "${u}"}))
    [failed] = await recorded.send({"id": "lamp", "lat": 1, "lon": 2, "u": "DAYS"})
    assert "timestamp.unit must be one of" in failed
    with pytest.raises(InvalidRequest, match=r"timestamp\.unit"):
        recorded.compile(location(timestamp={"value": "1", "unit": "DAYS"}))
