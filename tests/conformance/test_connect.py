"""CONNECT and its answer: chapters 3.1 and 3.2 of both standards."""

import time
from typing import Any

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import V3, V5, Kind, Will, frame, properties, string
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds

BAD = (0x80, 0x81, 0x82)
"""What a server may say to a CONNECT it cannot read, in MQTT 5; in 3.1.1 it says nothing."""


def head(version: int, flags: int, keep_alive: int = 60) -> bytes:
    """The variable header of CONNECT."""
    return string("MQTT") + bytes([version, flags]) + keep_alive.to_bytes(2, "big") + properties(version, {})


@holds(v311="3.1.0-1 3.2.0-1 4.8.0-1", v5="3.1.0-1 3.2.0-1 3.14.0-1 4.13.1-1")
@pytest.mark.parametrize(
    "first",
    [
        packets.PINGREQ,
        packets.publish(V3, "a", b"1"),
        packets.subscribe(V3, 1, ("a", 0)),
        packets.disconnect(V3),
        b"\x20\x02\x00\x00",
        b"\xf0\x00",
        b"\x00\x00",
    ],
    ids=["PINGREQ", "PUBLISH", "SUBSCRIBE", "DISCONNECT", "CONNACK", "AUTH", "reserved"],
)
def test_nothing_but_connect_opens_a_conversation(new: NewClient, first: bytes) -> None:
    client = new(V3)
    client.send(first)
    assert client.bytes_until_the_end() == b""


@holds(v311="3.1.0-2 4.8.0-1", v5="3.1.0-2 3.2.0-2 4.13.1-1")
def test_a_second_connect_ends_the_connection(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name)
    client.send(packets.connect(version, name))
    client.refused(0x82)


@holds(v311="3.1.2-1", v5="3.1.2-1")
@pytest.mark.parametrize("protocol", ["MQTX", "mqtt", "", "MQTT5", b"MQ\xfftT"])
def test_another_protocol_name_is_not_served(new: NewClient, version: int, protocol: str | bytes) -> None:
    client = new(version)
    client.send(packets.connect(version, protocol=protocol))
    client.rejected(0x84, *BAD) if version == V5 else client.rejected(1)


@holds(v311="3.1.2-2 3.2.2-4 3.2.2-5", v5="3.1.2-2 3.2.2-6 3.2.2-7 4.13.2-1")
@pytest.mark.parametrize("level", [0, 1, 3, 6, 0x83, 255])
def test_an_unsupported_level_is_named_as_the_reason(new: NewClient, level: int) -> None:
    client = new(V3)
    client.send(packets.connect(level))
    answer = client.bytes_until_the_end()
    if level > V5:  # MQTT 5 allows its own code, in a CONNACK of its own form
        connack = packets.read(answer[0], answer[2:], V5, len(answer))
        assert (connack.kind, connack.code) == (Kind.CONNACK, 0x84)
    else:  # 3.1.1 demands its return code 1
        assert answer == b"\x20\x02\x00\x01"


@holds(v311="3.1.2-3 3.1.4-1 3.2.2-6", v5="3.1.2-3 3.1.4-1")
def test_the_reserved_connect_flag_must_be_0(new: NewClient, version: int, name: str) -> None:
    client = new(version)
    client.send(packets.connect(version, name, flags=0x03))
    client.rejected(*BAD) if version == V5 else client.rejected()


FLAGS = {
    "will QoS without will": (0x0A, ()),
    "will retain without will": (0x22, ()),
    "will QoS 3": (0x1E, ("will", b"payload")),
    "will without topic": (0x06, ()),
    "will without payload": (0x06, ("will",)),
    "will unannounced": (0x02, ("will", b"payload")),
    "user name missing": (0x82, ()),
    "user name unannounced": (0x02, ("user",)),
    "password missing": (0xC2, ("user",)),
    "password unannounced": (0x82, ("user", b"password")),
}


@holds(
    v311="3.1.2-9 3.1.2-11 3.1.2-13 3.1.2-14 3.1.2-15 3.1.2-18 3.1.2-19 3.1.2-20 3.1.2-21 3.1.4-1",
    v5="3.1.2-9 3.1.2-11 3.1.2-12 3.1.2-13 3.1.2-16 3.1.2-17 3.1.2-18 3.1.2-19 3.1.4-1",
)
@pytest.mark.parametrize("case", FLAGS)
def test_flags_and_payload_must_agree(new: NewClient, version: int, name: str, case: str) -> None:
    flags, fields = FLAGS[case]
    will = properties(version, {}) if "will" in fields else b""
    payload = string(name) + will + b"".join(string(field) for field in fields)
    client = new(version)
    client.send(frame(0x10, head(version, flags) + payload))
    client.rejected(*BAD) if version == V5 else client.rejected()


@holds(v311="3.1.2-22 3.1.4-1")
def test_a_password_needs_a_user_name_in_3_1_1(new: NewClient, name: str) -> None:
    client = new(V3)
    client.send(frame(0x10, head(V3, 0x42) + string(name) + string(b"password")))
    client.rejected()


def test_a_password_may_come_alone_in_5(new: NewClient, name: str) -> None:
    """3.1.2.9: unlike 3.1.1."""
    new(V5).connect(name, password=b"password")


@holds(v311="3.1.3-1 3.1.3-3 3.1.4-4", v5="3.1.3-1 3.1.3-3 3.1.4-5 3.2.2-1 3.2.2-8 2.2.2-1")
def test_all_fields_in_their_order_are_accepted(new: NewClient, version: int, name: str) -> None:
    will = Will(f"{name}/will", b"gone", 1)
    client = new(version).connect(name, will=will, username="user", password=b"\x00\xff")
    assert client.connack is not None
    assert client.connack.code == 0


@holds(v311="3.1.3-3 3.1.4-1", v5="3.1.3-3 3.1.4-1")
def test_a_connect_cut_short_anywhere_is_refused(new: NewClient, version: int, name: str) -> None:
    will = Will("w", b"x", properties={"content_type": "t"} if version == V5 else {})
    values: dict[str, Any] = {"receive_maximum": 5, "user_property": ("a", "b")} if version == V5 else {}
    whole = packets.connect(version, name[:4], will=will, username="u", password=b"p", **values)
    for end in range(len(whole) - 2):
        client = new(version)
        client.send(frame(0x10, whole[2 : 2 + end]))
        client.rejected(*BAD, 0x84) if version == V5 else client.rejected()
        client.close()


BAD_TEXT = {"no UTF-8": b"\xff\xfe", "surrogate": b"\xed\xa0\x80", "U+0000": b"a\x00b", "cut short": b"a\xe2\x82"}


@holds(
    v311="1.5.3-1 1.5.3-2 3.1.3-4 3.1.3-10 3.1.3-11 4.7.3-2",
    v5="1.5.4-1 1.5.4-2 3.1.3-4 3.1.3-11 3.1.3-12 4.7.3-2",
)
@pytest.mark.parametrize("text", BAD_TEXT)
@pytest.mark.parametrize("field", ["client id", "will topic", "user name"])
def test_text_must_be_utf_8(new: NewClient, version: int, name: str, field: str, text: str) -> None:
    bad = BAD_TEXT[text]
    client = new(version)
    if field == "client id":
        client.send(packets.connect(version, bad))
    elif field == "will topic":
        client.send(packets.connect(version, name, will=Will(bad)))
    else:
        client.send(packets.connect(version, name, username=bad))
    client.rejected(*BAD, 0x85, 0x86, 0x90) if version == V5 else client.rejected(2, 4)


@pytest.mark.parametrize("topic", ["a/+", "#", "a#", ""])
def test_a_will_needs_a_topic_name(new: NewClient, version: int, name: str, topic: str) -> None:
    """Wildcards and emptiness: [MQTT-4.7.1-1], [MQTT-4.7.3-1] for wills."""
    client = new(version)
    client.send(packets.connect(version, name, will=Will(topic)))
    client.rejected(*BAD, 0x90) if version == V5 else client.rejected()


@holds(v311="3.1.3-5 3.1.4-4", v5="3.1.3-5 3.1.4-5")
@pytest.mark.parametrize("client_id", ["Z", "0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ"])
def test_short_ids_of_letters_and_digits_are_allowed(new: NewClient, version: int, client_id: str) -> None:
    new(version).connect(client_id)


@holds(v311="3.1.3-6")
def test_clients_without_an_id_do_not_meet(new: NewClient, name: str) -> None:
    first, second = new(V3).connect(""), new(V3).connect("")
    first.subscribe(name)
    assert second.ping() == []
    assert first.ping() == []


@holds(v5="3.1.3-6 3.1.3-7 3.2.2-16")
def test_an_assigned_id_is_new_and_as_good_as_the_clients_own(new: NewClient, name: str) -> None:
    first, second = (new(V5).connect("", session_expiry_interval=60) for _ in range(2))
    assigned = [client.granted()["assigned_client_identifier"] for client in (first, second)]
    assert all(assigned)
    assert len(set(assigned)) == 2
    first.subscribe(name)
    first.disconnect()
    again = new(V5).connect(assigned[0], clean=False)
    assert again.session_present
    second.publish(name, b"still subscribed")
    assert again.message().payload == b"still subscribed"
    assert "assigned_client_identifier" not in again.granted()


@holds(v311="3.1.3-8 3.1.3-9 3.2.2-4 3.2.2-5")
def test_an_empty_id_needs_a_clean_session_in_3_1_1(new: NewClient) -> None:
    client = new(V3)
    client.send(packets.connect(V3, "", clean=False))
    assert client.bytes_until_the_end() == b"\x20\x02\x00\x02"


@holds(v311="3.1.4-5", v5="3.1.4-6")
def test_after_a_rejected_connect_nothing_is_processed(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    client = new(version)
    wrong = packets.connect(V5, name, authentication_method="none") if version == V5 else packets.connect(3, "")
    client.send(wrong + packets.publish(version, name, b"no"))
    client.bytes_until_the_end()
    watcher.send(packets.publish(version, name, b"end"))
    assert watcher.messages(b"end") == []


@holds(v311="3.2.0-1", v5="3.2.0-1")
def test_connack_is_first_whatever_follows_the_connect(new: NewClient, version: int, name: str) -> None:
    client = new(version)
    subscribe = packets.subscribe(version, 1, (name, 0))
    client.send(packets.connect(version, name) + subscribe + packets.publish(version, name, b"1") + packets.PINGREQ)
    assert [client.receive().kind for _ in range(4)][:2] == [Kind.CONNACK, Kind.SUBACK]


@holds(v311="3.2.0-1", v5="3.2.0-1")
def test_connack_comes_before_what_waited(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(name, qos=1)
    client.disconnect()
    new(version).connect().publish(name, b"1", 1)
    client = new(version).connect(name, **lasting(version))  # expects CONNACK first
    assert client.message().payload == b"1"


@holds(v311="3.1.4-2", v5="3.1.4-3 4.13.2-1")
def test_the_newer_client_of_an_id_takes_over(new: NewClient, version: int, name: str) -> None:
    older = new(version).connect(name)
    newer = new(version).connect(name)
    rest = older.rest()
    if version == V5:
        assert [(packet.kind, packet.code) for packet in rest] == [(Kind.DISCONNECT, 0x8E)]
    else:
        assert rest == []
    assert newer.ping() == []


@holds(v311="3.1.2-24", v5="3.1.2-22 3.2.2-22")
def test_silence_for_one_and_a_half_keep_alives_ends_the_connection(new: NewClient, version: int, name: str) -> None:
    watcher = new(version).connect()
    watcher.subscribe(name)
    patient = new(version).connect(keep_alive=0)
    begin = time.monotonic()
    silent = new(version).connect(keep_alive=1, will=Will(name, b"as if the network had failed"))
    assert "server_keep_alive" not in silent.granted()
    silent.refused(0x8D)
    assert 1.4 < time.monotonic() - begin < 5
    assert watcher.message().payload == b"as if the network had failed"
    assert patient.ping() == []


@holds(v311="3.1.2-24", v5="3.1.2-22")
def test_any_packet_counts_against_the_keep_alive(new: NewClient, version: int, name: str) -> None:
    """Not PINGREQ alone: who publishes outlives one that connected at the same time and says nothing."""
    talking, silent = new(version).connect(keep_alive=1), new(version).connect(keep_alive=1)
    silent.link.settimeout(0.2)
    for _ in range(100):
        talking.send(packets.publish(version, name))
        try:
            silent.refused(0x8D)
            break
        except TimeoutError:
            continue
    assert talking.ping() == []


@holds(v5="3.1.2-28")
def test_response_information_only_for_those_who_ask(new: NewClient) -> None:
    assert "response_information" not in new(V5).connect(request_response_information=0).granted()
    assert "response_information" not in new(V5).connect().granted()


@holds(v5="4.12.0-1 4.12.0-4 3.2.2-6 3.2.2-7 3.2.2-8 3.1.4-2 4.13.2-1")
def test_authentication_methods_are_refused(new: NewClient, name: str) -> None:
    client = new(V5)
    client.send(packets.connect(V5, name, authentication_method="SCRAM-SHA-1", authentication_data=b"\0"))
    connack = client.expect(Kind.CONNACK)
    assert connack.code == 0x8C
    assert client.rest() == []


@holds(v5="4.12.0-6")
def test_no_authentication_method_comes_unasked(new: NewClient) -> None:
    assert "authentication_method" not in new(V5).connect().granted()


@holds(v5="4.12.0-7 4.13.1-1")
def test_auth_without_a_method_is_a_protocol_error(new: NewClient) -> None:
    client = new(V5).connect()
    client.send(frame(0xF0, b"\x19" + properties(V5, {"authentication_method": "SCRAM-SHA-1"})))
    client.refused(0x82, 0x8C)


CONNECT_PROPERTIES = {
    "receive maximum 0": properties(V5, {"receive_maximum": 0}),
    "maximum packet size 0": properties(V5, {"maximum_packet_size": 0}),
    "request problem information 2": properties(V5, {"request_problem_information": 2}),
    "request response information 2": properties(V5, {"request_response_information": 2}),
    "authentication data alone": properties(V5, {"authentication_data": b"x"}),
    "receive maximum twice": b"\x06\x21\x00\x05\x21\x00\x05",
    "session expiry twice": b"\x0a" + b"\x11\x00\x00\x00\x05" * 2,
    "of CONNACK": properties(V5, {"server_keep_alive": 5}),
    "of PUBLISH": properties(V5, {"topic_alias": 5}),
    "of the will": properties(V5, {"will_delay_interval": 5}),
    "unknown": b"\x02\x7f\x00",
    "cut short": b"\x02\x21\x00",
    "longer than the packet": b"\x7f",
}


@holds(v5="3.1.4-1")
@pytest.mark.parametrize("case", CONNECT_PROPERTIES)
def test_properties_against_the_rules_are_refused(new: NewClient, name: str, case: str) -> None:
    client = new(V5)
    start = string("MQTT") + b"\x05\x02\x00\x3c"
    client.send(frame(0x10, start + CONNECT_PROPERTIES[case] + string(name)))
    client.rejected(*BAD)
