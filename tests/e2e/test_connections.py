"""Connections as AWS's SDK makes and keeps them."""

import pytest
from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from tests.e2e.conftest import Connect
from tests.e2e.proxy import Proxy
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.ready import Ready


def test_the_connected_event_names_client_thing_and_certificate(
    app: App, lamp: Credentials, connect: Connect, watcher: SdkDevice
) -> None:
    watcher.subscribe(f"$aws/events/presence/connected/{lamp.thing}")
    connect(lamp)
    event = watcher.take(f"$aws/events/presence/connected/{lamp.thing}")
    [principal] = app.iot.list_thing_principals(thingName=lamp.thing)["principals"]
    assert event["clientId"] == lamp.thing
    assert event["thingName"] == lamp.thing
    assert event["principalIdentifier"] == principal.rpartition("/")[2]
    assert event["ipAddress"] == "127.0.0.1"


def test_a_client_id_that_the_policy_does_not_allow_is_refused(where: Ready, lamp: Credentials) -> None:
    stranger = SdkDevice(where, lamp, client_id="somebody-else")
    with pytest.raises(AwsCrtError, match="PROTOCOL_ERROR"):  # so the SDK calls a CONNACK that refuses
        stranger.connect()


def test_a_second_connection_takes_the_client_id_over(lamp: Credentials, connect: Connect, watcher: SdkDevice) -> None:
    topic = f"$aws/events/presence/disconnected/{lamp.thing}"
    watcher.subscribe(topic)
    first = connect(lamp)
    second = connect(lamp)
    first.interruptions.take("the first connection to end")
    assert watcher.take(topic)["disconnectReason"] == "DUPLICATE_CLIENTID"
    second.publish(f"device/{lamp.thing}/x", {})


def test_a_persistent_session_is_kept_with_what_came_for_it(
    where: Ready, lamp: Credentials, watcher: SdkDevice
) -> None:
    topic = f"$aws/things/{lamp.thing}/shadow/told"
    device = SdkDevice(where, lamp, clean_session=False)
    assert device.connect() is False
    device.subscribe(topic)
    device.close()
    for number in range(3):
        watcher.publish(topic, {"number": number})
    again = SdkDevice(where, lamp, clean_session=False)
    assert again.connect() is True
    assert [again.take(topic)["number"] for _ in range(3)] == [0, 1, 2]
    again.close()
    fresh = SdkDevice(where, lamp, clean_session=True)
    assert fresh.connect() is False
    fresh.close()


def test_a_will_is_not_published_where_the_client_says_goodbye(
    where: Ready, lamp: Credentials, watcher: SdkDevice
) -> None:
    topic = f"device/{lamp.thing}/will"
    watcher.subscribe(topic)
    device = SdkDevice(where, lamp, will=mqtt.Will(topic, mqtt.QoS.AT_LEAST_ONCE, b'{"dead": true}', False))
    device.connect()
    device.close()
    watcher.publish(topic, {"dead": False})  # what came before it would be taken first
    assert watcher.take(topic) == {"dead": False}


def test_a_quiet_connection_is_kept_alive_by_pings(where: Ready, lamp: Credentials) -> None:
    with Proxy(where.mqtts.host, where.mqtts.port) as proxy:
        device = SdkDevice(where, lamp, endpoint="127.0.0.1", port=proxy.port, keep_alive_secs=1, ping_timeout_ms=900)
        device.connect()
        device.publish(f"device/{lamp.thing}/x", {})
        proxy.answers.clear()
        for _ in range(2):  # after the PUBACK nothing but PINGRESP comes from the broker
            proxy.answers.take("an answer to a ping")
        device.publish(f"device/{lamp.thing}/x", {})
        assert device.interruptions.waiting() == []
        device.close()
