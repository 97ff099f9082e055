"""GetThingConnectivityData: API reference; a thing's client is the one whose ID is its name."""

from pathlib import Path

import pytest
from tests.gateway.data_plane import ARNS, DataPlane
from tests.gateway.modelled import Iot, iot_model
from tests.registry.published import Published

from fogbank.broker.reasons import DisconnectReason
from fogbank.gateway.iot_connectivity import IotConnectivityApi
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments


@pytest.fixture
async def iot(plane: DataPlane, tmp_path: Path) -> Iot:
    issuer = OwnCa(tmp_path / "ca", plane.clock).devices
    registry = Registry(MemoryDocuments(), ARNS, plane.clock, issuer, Published())
    await registry.things.create("lamp")
    return Iot([IotConnectivityApi(registry, plane.broker.connections)], iot_model())


async def test_from_never_to_gone(plane: DataPlane, iot: Iot) -> None:
    never = {"thingName": "lamp", "connected": False}
    assert await iot.call("GetThingConnectivityData", thingName="lamp") == never
    device = await plane.device().accepted("lamp", clean_start=False)
    known = {"thingName": "lamp", "clientId": "lamp", "keepAliveDuration": 60, "cleanSession": False}
    known["sessionExpiry"] = 3600
    connected = {**known, "connected": True, "timestamp": plane.clock.time()}
    assert await iot.call("GetThingConnectivityData", thingName="lamp") == connected
    socket = {"sourceIp": "192.0.2.1", "sourcePort": 4711, "targetIp": "192.0.2.255", "targetPort": 8883}
    asked = {"thingName": "lamp", "includeSocketInformation": True}
    assert await iot.call("GetThingConnectivityData", **asked) == connected | socket
    await plane.clock.advance(5)
    device.lose()
    assert await iot.call("GetThingConnectivityData", thingName="lamp") == {
        **known,
        "connected": False,
        "timestamp": plane.clock.time(),
        "disconnectReason": "CONNECTION_LOST",
    }


async def test_only_things_have_connectivity(plane: DataPlane, iot: Iot) -> None:
    await plane.device().accepted("stranger")
    assert await iot.refused("GetThingConnectivityData", thingName="stranger") == "ResourceNotFoundException"


def test_reasons_are_those_of_the_model() -> None:
    known = iot_model().shape_for("DisconnectReasonValue").enum
    assert {reason.value for reason in DisconnectReason} <= set(known)
