"""Where `--limits aws` departs from the standard, or has limits of its own, and the rule of AWS that demands it.

The pages are those of the AWS IoT Core developer guide: `mqtt` ("MQTT", with its differences from the specifications),
`mqtt5` ("MQTT 5 supported features"), `topics` ("MQTT topics"); `quotas` is the AWS General Reference's page of quotas.
"""

from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.client import Client
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V3, V5, Kind, Will
from tests.conformance.sessions import lasting
from tests.conformance.statements import deviates, holds


def told(client: Client) -> list[tuple[Kind, str]]:
    """The kinds and codes of what comes before the server closes."""
    return [(packet.kind, hex(packet.code)) for packet in client.rest()]


def ended(client: Client, code: int) -> None:
    """The server must close: in MQTT 5 after a DISCONNECT that says why, in 3.1.1 without a word."""
    assert told(client) == ([(Kind.DISCONNECT, hex(code))] if client.version == V5 else [])


def topic_refused(client: Client) -> None:
    """0x90 in a PUBACK or a DISCONNECT: which of them no page says; to a client of 3.1.1 by closing."""
    rest = client.ping_or_end()
    if client.version == V5:
        assert [packet.kind for packet in rest] in ([Kind.PUBACK], [Kind.DISCONNECT])
        assert rest[0].code == 0x90
    else:
        assert rest == []
        client.refused()


# --- CONNECT ---


@holds(v5="3.2.2-9")
def test_what_a_client_is_told_at_connect(new_aws: NewClient, name: str) -> None:
    """`mqtt5`: the properties of CONNACK; quotas: their values."""
    granted = new_aws(V5).connect(name).granted()
    assert granted["receive_maximum"] == 100
    assert granted["maximum_qos"] == 1
    assert granted["topic_alias_maximum"] == 8
    assert granted["subscription_identifier_available"] == 0
    assert granted["maximum_packet_size"] == 149_504
    for absent_means_1 in ("retain_available", "wildcard_subscription_available", "shared_subscription_available"):
        assert granted.get(absent_means_1, 1) == 1


@deviates("quotas: keep-alive 30 to 1200 seconds, 0 counts as 1200", v5="3.2.2-22")
@pytest.mark.parametrize(("asked", "held"), [(0, 1200), (1, 30), (29, 30), (1201, 1200), (65_535, 1200)])
def test_keep_alive_has_bounds_and_the_client_is_told(new_aws: NewClient, asked: int, held: int) -> None:
    assert new_aws(V5).connect(keep_alive=asked).granted()["server_keep_alive"] == held


@pytest.mark.parametrize("asked", [30, 600, 1200])
def test_a_keep_alive_within_them_holds(new_aws: NewClient, asked: int) -> None:
    assert new_aws(V5).connect(keep_alive=asked).granted().get("server_keep_alive", asked) == asked


@deviates("`mqtt5`: a session expiry interval above the account's maximum, 3600 s, is lowered to it", v5="3.1.2-23")
def test_the_session_expiry_has_a_maximum_and_the_client_is_told(new_aws: NewClient, name: str) -> None:
    client = new_aws(V5).connect(name, clean=False, session_expiry_interval=0xFFFFFFFF)
    assert client.granted()["session_expiry_interval"] == 3600
    assert new_aws(V5).connect(session_expiry_interval=60).granted().get("session_expiry_interval", 60) == 60


@holds(v5="3.1.3-8 3.1.4-2")
@deviates("quotas: client id of at most 128 bytes")
def test_a_client_id_of_129_bytes_is_refused(new_aws: NewClient, version: int) -> None:
    new_aws(version).connect("é" * 64)
    client = new_aws(version)
    client.send(packets.connect(version, "é" * 64 + "x"))
    assert told(client) == [(Kind.CONNACK, hex(0x85 if version == V5 else 2))]


@deviates("`mqtt5`: a client's Maximum Packet Size below 512 bytes is refused", v5="3.1.4-5")
def test_a_client_must_take_packets_of_512_bytes(new_aws: NewClient, name: str) -> None:
    client = new_aws(V5)
    client.send(packets.connect(V5, name, maximum_packet_size=511))
    rest = told(client)
    assert [kind for kind, _ in rest] in ([], [Kind.CONNACK])
    assert (Kind.CONNACK, "0x0") not in rest
    new_aws(V5).connect(name, maximum_packet_size=512)


@holds(v5="3.2.2-12 3.1.4-2")
@deviates("`mqtt`: QoS 2 is not supported", v311="3.1.2-14", v5="3.1.2-12")
def test_a_will_at_qos_2_is_refused(new_aws: NewClient, version: int) -> None:
    client = new_aws(version)
    client.send(packets.connect(version, will=Will("w", qos=2)))
    rest = told(client)
    assert rest == [(Kind.CONNACK, "0x9b")] if version == V5 else rest in ([], [(Kind.CONNACK, "0x3")])


@deviates("`mqtt`: a session of one version of MQTT cannot be resumed by the other", v311="3.1.2-4", v5="3.1.2-5")
@pytest.mark.parametrize(("before", "after"), [(V3, V5), (V5, V3)])
def test_sessions_do_not_change_their_version(new_aws: NewClient, name: str, before: int, after: int) -> None:
    new_aws(before).connect(name, **lasting(before)).disconnect()
    assert not new_aws(after).connect(name, **lasting(after)).session_present


# --- PUBLISH ---


@holds(v5="3.14.2-1 4.13.2-1")
@deviates("`mqtt`: QoS 2 is not supported; `mqtt5`: 0x9B", v311="3.3.4-1 4.3.3-2", v5="3.3.4-1 4.3.3-8")
def test_qos_2_ends_the_connection(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.send(packets.publish(version, name, b"", 2, 1))
    ended(client, 0x9B)


@deviates("quotas: payload of at most 128 KB")
def test_a_payload_over_128_kb_ends_the_connection(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.publish(name, bytes(131_072), 1)
    client.send(packets.publish(version, name, bytes(131_073), 1, 2))
    rest = told(client)
    assert rest in ([(Kind.DISCONNECT, "0x95")], [(Kind.DISCONNECT, "0x97")]) if version == V5 else rest == []


@deviates("quotas: topics of at most 8 levels")
def test_nine_levels_are_too_many(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.publish(name + "/x" * 7, b"", 1)
    client.send(packets.publish(version, name + "/x" * 8, b"", 1, 9))
    topic_refused(client)


@deviates("quotas: topics of at most 256 bytes")
def test_so_are_257_bytes(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.publish(name + "x" * (256 - len(name)), b"", 1)
    client.send(packets.publish(version, name + "x" * (257 - len(name)), b"", 1, 9))
    topic_refused(client)


@holds(v5="3.2.2-17 3.3.2-9 4.13.1-1")
@deviates("quotas: topic aliases up to 8")
def test_topic_alias_9_is_one_too_many(new_aws: NewClient, name: str) -> None:
    client = new_aws(V5).connect()
    client.publish(name, b"", 1, topic_alias=8)
    client.send(packets.publish(V5, name, b"", 1, 9, topic_alias=9))
    ended(client, 0x94)


PROPERTY_LIMITS: dict[str, dict[str, Any]] = {
    "content type": {"content_type": "x" * 257},
    "correlation data": {"correlation_data": bytes(8_193)},
    "user properties": {"user_property": [("k", "v" * 1_000)] * 9},
}


@deviates("quotas: Content Type 256 bytes, Correlation Data 8 KB, User Properties 8 KB together", v5="3.3.2-17")
@pytest.mark.parametrize("case", PROPERTY_LIMITS)
def test_long_properties_are_refused(new_aws: NewClient, name: str, case: str) -> None:
    client = new_aws(V5).connect()
    client.send(packets.publish(V5, name, b"", 1, 1, **PROPERTY_LIMITS[case]))
    rest = client.ping_or_end()
    assert [packet.kind for packet in rest] in ([Kind.PUBACK], [Kind.DISCONNECT])
    assert rest[0].code >= 0x80


@deviates("quotas: Message Expiry Interval from 1 to 604800 s, raised or lowered to it", v5="3.3.2-6")
@pytest.mark.parametrize(("sent", "held"), [(0, 1), (604_801, 604_800), (0xFFFFFFFF, 604_800)])
def test_message_expiry_has_bounds(new_aws: NewClient, name: str, sent: int, held: int) -> None:
    watcher, publisher = new_aws(V5).connect(), new_aws(V5).connect()
    watcher.subscribe(name)
    publisher.publish(name, message_expiry_interval=sent)
    assert watcher.message().properties["message_expiry_interval"] in (held, held - 1)


@deviates("quotas: at most 100 unacknowledged messages in each direction")
def test_receive_maximum_is_100(new_aws: NewClient, name: str) -> None:
    """Whatever more the client would take."""
    watcher, publisher = new_aws(V5).connect(receive_maximum=500), new_aws(V5).connect()
    watcher.subscribe(name, qos=1)
    for _ in range(105):
        publisher.publish(name, b"", 1)
    under_way = watcher.ping()
    assert len(under_way) == 100
    for message in under_way:
        watcher.settle(message)
    assert [watcher.message().qos for _ in range(5)] == [1] * 5


@deviates("`topics`: messages to topics that begin with `$` are not retained", v5="3.3.1-5", v311="3.3.1-5")
def test_nothing_is_retained_on_reserved_topics(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.send(packets.publish(version, f"$aws/things/{name}/shadow/get", b"", 0, retain=True))
    client.ping_or_end()
    later = new_aws(version).connect()
    later.subscribe(f"$aws/things/{name}/shadow/get")
    assert later.ping() == []


# --- SUBSCRIBE ---


@deviates("`mqtt`: QoS 2 is not supported, a SUBSCRIBE that asks for it gets no SUBACK", v311="3.8.4-1", v5="3.2.2-10")
def test_a_subscription_at_qos_2_ends_the_connection(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    client.send(packets.subscribe(version, 1, (name, 2)))
    ended(client, 0x9B)


@deviates("`mqtt5`: Subscription Identifier Available is 0; 0xA1", v5="3.3.4-3")
def test_subscription_identifiers_end_the_connection(new_aws: NewClient, name: str) -> None:
    client = new_aws(V5).connect()
    client.send(packets.subscribe(V5, 1, (name, 0), subscription_identifier=1))
    ended(client, 0xA1)


@deviates("`topics`: `sensor/#` does not match `sensor`", v311="4.7.1-2 3.3.2-3", v5="4.7.1-1 3.3.2-3")
def test_a_multi_level_wildcard_does_not_match_the_parent(new_aws: NewClient, version: int, name: str) -> None:
    client, publisher = new_aws(version).connect(), new_aws(version).connect()
    client.subscribe(f"{name}/#")
    for topic in (name, f"{name}/", f"{name}/a", f"{name}/a/b"):
        publisher.publish(topic)
    assert [message.topic for message in client.ping()] == [f"{name}/", f"{name}/a", f"{name}/a/b"]


@deviates("`mqtt`: filters with wildcards get nothing that is retained", v311="3.3.1-6", v5="3.3.1-9")
def test_only_exact_filters_get_what_is_retained(new_aws: NewClient, version: int, name: str) -> None:
    new_aws(version).connect().publish(f"{name}/a", b"kept", 1, retain=True)
    client = new_aws(version).connect()
    client.subscribe(f"{name}/+", f"{name}/#", qos=1)
    assert client.ping() == []
    client.subscribe(f"{name}/a", qos=1)
    message = client.message()
    assert (message.payload, message.retain) == (b"kept", True)


@deviates("quotas: at most 8 filters in a SUBSCRIBE", v311="3.8.4-4", v5="3.8.4-5")
def test_nine_filters_at_once_are_refused(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    assert len(client.subscribe(*(f"{name}/{number}" for number in range(8))).codes) == 8
    client.send(packets.subscribe(version, 77, *((f"{name}/n{number}", 0) for number in range(9))))
    rest = client.ping_or_end()
    assert len(rest) <= 1
    if rest and rest[0].kind is Kind.SUBACK:
        assert rest[0].codes == (0x97 if version == V5 else 0x80,) * 9
    elif rest:
        assert (rest[0].kind, rest[0].code) == (Kind.DISCONNECT, 0x97)
    else:
        assert version == V3


@deviates("quotas: at most 50 subscriptions for each connection")
def test_the_51st_subscription_is_refused(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    for number in range(50):
        assert client.subscribe(f"{name}/{number}").codes == (0,)
    assert client.subscribe(f"{name}/50").codes == (0x97 if version == V5 else 0x80,)
    assert client.subscribe(f"{name}/0").codes == (0,)  # again: no new one


@deviates("quotas: filters of at most 8 levels")
def test_filters_of_nine_levels_are_refused(new_aws: NewClient, version: int, name: str) -> None:
    client = new_aws(version).connect()
    assert client.subscribe(name + "/x" * 7).codes == (0,)
    assert client.subscribe(f"$share/g/{name}" + "/x" * 7).codes == (0,)  # `$share/{name}/` does not count
    client.send(packets.subscribe(version, 99, (name + "/x" * 8, 0)))
    rest = client.ping_or_end()
    assert len(rest) <= 1
    if rest and rest[0].kind is Kind.SUBACK:
        assert rest[0].codes == (0x8F if version == V5 else 0x80,)
    elif rest:
        assert (rest[0].kind, rest[0].code) == (Kind.DISCONNECT, 0x8F)


def test_shared_subscriptions_are_for_both_versions(new_aws: NewClient, version: int, name: str) -> None:
    """`mqtt`: also for 3.1.1."""
    client = new_aws(version).connect()
    client.subscribe(f"$share/g/{name}", qos=1)
    new_aws(version).connect().publish(name, b"1", 1)
    assert client.message().payload == b"1"


# --- other packets ---


@deviates("`mqtt`: PUBREC, PUBREL and PUBCOMP are not supported", v311="4.3.3-2", v5="4.3.3-11")
@pytest.mark.parametrize("kind", [Kind.PUBREC, Kind.PUBREL, Kind.PUBCOMP])
def test_packets_of_qos_2_end_the_connection(new_aws: NewClient, version: int, kind: Kind) -> None:
    client = new_aws(version).connect()
    client.send(packets.acknowledgement(version, kind, 1))
    rest = told(client)
    assert [packet[0] for packet in rest] in ([], [Kind.DISCONNECT])
    assert all(code in ("0x82", "0x9b") for _, code in rest)


@deviates("`mqtt5`: AUTH is not supported")
def test_authentication_methods_are_refused(new_aws: NewClient, name: str) -> None:
    client = new_aws(V5)
    client.send(packets.connect(V5, name, authentication_method="none"))
    assert told(client) == [(Kind.CONNACK, "0x8c")]


def test_will_delay_is_served_beyond_what_aws_lists(new_aws: NewClient, name: str) -> None:
    """`mqtt5` does not list Will Delay Interval; a CONNECT with it is no error, and the will comes at last."""
    watcher = new_aws(V5).connect()
    watcher.subscribe(name)
    new_aws(V5).connect(will=Will(name, properties={"will_delay_interval": 1})).drop()
    assert watcher.message().payload == b"will"
