"""`fogbank demo`, as a newcomer runs it: all five chapters come true, in words that say so."""

import os
import subprocess
import sys
import time

import pytest

KEY_LINES = (
    "is ready after",
    "makes 'lamp', and signs its certificate; no platform hears of it",
    "is refused, for the first time",
    "has registered the certificate, since the CA signed it",
    '"certificateStatus": "PENDING_ACTIVATION"',
    "makes the thing, attaches the policy, activates",
    "tries again, and is connected over mutual TLS",
    "hears of it on $aws/events/presence/connected/lamp",
    "the rule does not fire: temperature > 50 was not true: temperature is 49",
    "the rule does not fire: color <> 'red' was not true: color is \"red\"",
    "the rule fires",
    '+ "deviceId":    "lamp"',
    "receives it on alarm/lamp",
    'receives the delta {"color": "RED"} over MQTT',
    "reads the shadow, and no delta is left",
    "$aws/events/presence/disconnected/lamp: CONNECTION_LOST",
    "reads connected = false",
    "no statement of policy 'lamp-policy' allows iot:Publish",
    "is disconnected, as AWS would have done",
)


@pytest.mark.parametrize("environment", [{"COLUMNS": "120"}, {"COLUMNS": "100", "FORCE_COLOR": "1", "NO_COLOR": "1"}])
def test_the_demo_comes_true(environment: dict[str, str]) -> None:
    begun = time.monotonic()
    process = subprocess.run(
        [sys.executable, "-m", "fogbank.cli", "demo"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, ""), process.stdout
    assert time.monotonic() - begun < 60
    position = 0
    for line in KEY_LINES:
        position = process.stdout.find(line, position)
        assert position >= 0, f"{line!r} is missing in its place:\n{process.stdout}"
