"""Shadows over HTTP."""

from typing import Any

import msgspec
import pytest
from tests.gateway.data_plane import CERTIFICATE, DEVICE, DataPlane, Principals, allowing

from fogbank.errors import Conflict, Forbidden, InvalidRequest, ResourceNotFound, Throttling
from fogbank.gateway.call import Caller, Members
from fogbank.settings import Limits

UPDATE: dict[str, Any] = {"thingName": "lamp", "payload": b'{"state": {"desired": {"on": true}}}'}
POLICY = allowing(("*Shadow*", "thing/lamp"), ("UpdateThingShadow", "thing/lamp/night"))


def document(answer: Members) -> Any:
    return msgspec.json.decode(answer["payload"])


async def test_an_app_drives_a_shadow(plane: DataPlane) -> None:
    accepted = document(await plane.call("UpdateThingShadow", **UPDATE))
    assert (accepted["version"], accepted["state"]) == (1, {"desired": {"on": True}})
    assert [message.topic.rsplit("/", 1)[1] for message in plane.published] == ["accepted", "delta", "documents"]
    found = document(await plane.call("GetThingShadow", thingName="lamp"))
    assert found["state"] == {"desired": {"on": True}, "delta": {"on": True}}
    assert document(await plane.call("DeleteThingShadow", thingName="lamp"))["version"] == 1
    with pytest.raises(ResourceNotFound, match="No shadow exists with name: 'lamp'"):
        await plane.call("GetThingShadow", thingName="lamp")


async def test_named_shadows_are_separate_and_listed(plane: DataPlane) -> None:
    await plane.call("UpdateThingShadow", **UPDATE)
    for name in ("night", "day", "dusk"):
        await plane.call("UpdateThingShadow", **UPDATE, shadowName=name)
    first = await plane.call("ListNamedShadowsForThing", thingName="lamp", pageSize=2)
    assert first == {"results": ["day", "dusk"], "nextToken": "dusk", "timestamp": int(plane.clock.time())}
    second = await plane.call("ListNamedShadowsForThing", thingName="lamp", nextToken=first["nextToken"])
    assert (second["results"], second["nextToken"]) == (["night"], None)
    with pytest.raises(ResourceNotFound, match="'dawn'"):
        await plane.call("GetThingShadow", thingName="lamp", shadowName="dawn")


async def test_errors_are_the_modelled_ones_and_publish_nothing(plane: DataPlane) -> None:
    with pytest.raises(Conflict, match="Version conflict"):
        await plane.call("UpdateThingShadow", **UPDATE | {"payload": b'{"state": {}, "version": 7}'})
    with pytest.raises(InvalidRequest, match="Invalid JSON"):
        await plane.call("UpdateThingShadow", **UPDATE | {"payload": b"{"})
    assert not plane.published


async def test_what_a_device_may_do() -> None:
    plane = DataPlane(POLICY)
    await plane.call("UpdateThingShadow", DEVICE, **UPDATE)
    await plane.call("GetThingShadow", DEVICE, thingName="lamp")
    await plane.call("ListNamedShadowsForThing", DEVICE, thingName="lamp")
    await plane.call("DeleteThingShadow", DEVICE, thingName="lamp")
    await plane.call("UpdateThingShadow", DEVICE, **UPDATE, shadowName="night")


@pytest.mark.parametrize(
    ("name", "params", "resource"),
    [
        ("UpdateThingShadow", UPDATE | {"thingName": "door"}, "door"),
        ("GetThingShadow", {"thingName": "door"}, "door"),
        ("GetThingShadow", {"thingName": "lamp", "shadowName": "night"}, "lamp/night"),
        ("DeleteThingShadow", {"thingName": "door"}, "door"),
        ("ListNamedShadowsForThing", {"thingName": "door"}, "door"),
    ],
)
async def test_anything_else_is_forbidden(name: str, params: Members, resource: str) -> None:
    plane = DataPlane(POLICY)
    with pytest.raises(Forbidden):
        await plane.call(name, DEVICE, **params)
    assert plane.denials() == [("shadow", "", "", resource)]
    assert not plane.published


async def test_a_user_is_held_against_its_own_policies() -> None:
    """Service authorization reference: thing*; developer guide, iot-action-resources: with the name of the shadow."""
    plane = DataPlane(allowing(("*", "thing/*")))
    own = Principals(allowing(("GetThingShadow", "thing/lamp/night"), ("ListNamedShadowsForThing", "thing/lamp")))
    user = Caller("AIDAEXAMPLE", "arn:aws:iam::1:user/ann", "127.0.0.1", CERTIFICATE, own)
    await plane.call("UpdateThingShadow", **UPDATE, shadowName="night")
    assert document(await plane.call("GetThingShadow", user, thingName="lamp", shadowName="night"))["version"] == 1
    assert (await plane.call("ListNamedShadowsForThing", user, thingName="lamp"))["results"] == ["night"]
    for name, params in (
        ("GetThingShadow", {"thingName": "lamp"}),
        ("DeleteThingShadow", {"thingName": "lamp", "shadowName": "night"}),
        ("UpdateThingShadow", UPDATE | {"shadowName": "night"}),
    ):
        with pytest.raises(Forbidden):
            await plane.call(name, user, **params)


async def test_rates_bind_over_http_too() -> None:
    plane = DataPlane(limits=Limits.STRICT)
    for _ in range(20):
        await plane.call("UpdateThingShadow", **UPDATE)
    with pytest.raises(Throttling, match="Too Many Requests"):
        await plane.call("GetThingShadow", thingName="lamp")
    await plane.clock.advance(1)
    assert document(await plane.call("GetThingShadow", thingName="lamp"))["version"] == 20
