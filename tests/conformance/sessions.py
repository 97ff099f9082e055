"""How each version of MQTT asks for a session that outlives its connection."""

from typing import Any

from tests.conformance.packets import V5


def lasting(version: int, *, clean: bool = False) -> dict[str, Any]:
    """For `Client.connect`. In MQTT 3.1.1 such a session cannot start clean."""
    if version == V5:
        return {"clean": clean, "session_expiry_interval": 60}
    assert not clean
    return {"clean": False}
