"""SUBSCRIBE, UNSUBSCRIBE and their answers: chapters 3.8 to 3.11."""

import pytest
from tests.conformance import packets
from tests.conformance.conftest import NewClient
from tests.conformance.packets import NO_LOCAL, V3, V5, Kind, frame, properties, string
from tests.conformance.sessions import lasting
from tests.conformance.statements import holds


@holds(
    v311="2.3.1-7 3.8.4-1 3.8.4-2 3.8.4-4 3.8.4-5 3.9.3-1 3.9.3-2",
    v5="2.2.1-6 3.8.4-1 3.8.4-2 3.8.4-5 3.8.4-6 3.8.4-7 3.9.3-1 3.9.3-2 2.2.2-1",
)
def test_suback_has_a_code_for_each_filter_in_order(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    asked = [2, 0, 1, 1, 0, 2]
    filters = [(f"{name}/{number}", qos) for number, qos in enumerate(asked)]
    client.send(packets.subscribe(version, 54_321, *filters))
    suback = client.expect(Kind.SUBACK)
    assert (suback.packet_id, suback.codes) == (54_321, tuple(asked))
    for number, qos in enumerate(asked):  # each of them as if it had come alone
        new(version).connect().publish(f"{name}/{number}", b"", 2)
        assert client.message().qos == qos


@holds(v311="3.8.4-4", v5="3.8.4-5")
def test_a_filter_twice_in_one_packet_is_the_second(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    client.send(packets.subscribe(version, 1, (name, 0), (name, 2)))
    assert client.expect(Kind.SUBACK).codes == (0, 2)
    new(version).connect().publish(name, b"", 2)
    assert client.message().qos == 2
    assert client.ping() == []


@holds(v311="3.8.4-5 3.9.3-2", v5="3.8.4-7 3.9.3-2")
def test_a_failure_concerns_its_filter_alone(new: NewClient, version: int, name: str) -> None:
    """Whether a bad filter is malformed or a failure is the server's choice; either way it is not granted."""
    client = new(version).connect()
    client.send(packets.subscribe(version, 1, (name, 1), ("a#", 1), (f"{name}/x", 1)))
    rest = client.ping_or_end()
    if rest and rest[0].kind is Kind.SUBACK:
        assert rest[0].codes in ((1, 0x80, 1), (1, 0x8F, 1))


@holds(v311="3.3.5-1 3.8.4-6", v5="3.3.4-2 3.8.4-8")
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_the_lesser_qos_holds(new: NewClient, version: int, name: str, published: int, granted: int) -> None:
    client = new(version).connect()
    assert client.subscribe(name, qos=granted).codes == (granted,)
    new(version).connect().publish(name, b"", published)
    assert client.message().qos == min(published, granted)


@holds(v311="3.3.5-1", v5="3.3.4-2")
def test_of_overlapping_subscriptions_the_highest_qos_holds(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    for topic_filter, qos in ((f"{name}/#", 0), (f"{name}/a", 2), (f"{name}/+", 1)):
        client.subscribe(topic_filter, qos=qos)
    publisher = new(version).connect()
    publisher.publish(f"{name}/a", b"1", 2)
    publisher.publish(f"{name}/a", b"end", 2)
    copies = client.messages(b"end")
    assert max(message.qos for message in copies) == 2


@holds(v311="3.8.4-3", v5="3.8.4-3 3.8.4-4")
def test_the_same_filter_again_replaces_the_subscription(new: NewClient, version: int, name: str) -> None:
    client, publisher = new(version).connect(), new(version).connect()
    for qos in (2, 0, 1):
        client.subscribe(name, qos=qos)
        publisher.publish(name, b"", 2)
        assert client.message().qos == qos
        assert client.ping() == []


@holds(v311="3.8.4-3", v5="3.8.4-4")
def test_replacing_a_subscription_loses_nothing(new: NewClient, version: int, name: str) -> None:
    client, publisher = new(version).connect(), new(version).connect()
    client.subscribe(name, qos=1)
    count = 50
    for number in range(1, count + 1):
        publisher.send(packets.publish(version, name, b"%d" % number, 1, number))
        client.send(packets.subscribe(version, 1000 + number, (name, 1)))
    got: list[bytes] = []
    subacks = 0
    while len(got) < count or subacks < count:
        packet = client.receive()
        if packet.kind is Kind.SUBACK:
            subacks += 1
        else:
            client.settle(packet)
            got.append(packet.payload)
    assert got == [b"%d" % number for number in range(1, count + 1)]


# --- subscription options and identifiers of MQTT 5 ---


@holds(v5="3.8.3-3")
def test_no_local_keeps_ones_own_messages_away(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    client.subscribe(f"{name}/a", options=NO_LOCAL)
    client.subscribe(f"{name}/b")
    for topic in (f"{name}/a", f"{name}/b"):
        client.send(packets.publish(V5, topic, b"own"))
    assert [message.topic for message in client.ping()] == [f"{name}/b"]
    new(V5).connect().publish(f"{name}/a", b"another's")
    assert client.message().payload == b"another's"


@holds(v5="3.8.3-4 4.13.1-1")
def test_no_local_is_not_for_shared_subscriptions(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    client.send(packets.subscribe(V5, 1, (f"$share/g/{name}", NO_LOCAL)))
    client.refused(0x82)


@holds(v5="3.3.4-3 3.3.4-4")
def test_a_message_names_the_subscriptions_it_comes_of(new: NewClient, name: str) -> None:
    client = new(V5).connect()
    client.subscribe(f"{name}/#", subscription_identifier=1)
    client.subscribe(f"{name}/a", subscription_identifier=268_435_455)
    client.subscribe(f"{name}/+")
    client.subscribe(f"{name}/b", subscription_identifier=1)
    publisher = new(V5).connect()
    publisher.publish(f"{name}/a", b"", 1)
    named: list[int] = []
    for message in client.ping():
        named += message.properties.get("subscription_identifier", [])
    assert sorted(named) == [1, 268_435_455]
    publisher.publish(f"{name}/b", b"", 1)
    for message in client.ping():
        assert set(message.properties.get("subscription_identifier", [])) <= {1}


@holds(v5="3.3.4-3 3.8.4-3")
def test_the_identifier_is_replaced_with_the_subscription(new: NewClient, name: str) -> None:
    client, publisher = new(V5).connect(), new(V5).connect()
    for values in ({"subscription_identifier": 5}, {"subscription_identifier": 6}, {}):
        client.subscribe(name, **values)
        publisher.publish(name)
        expected = {key: [value] for key, value in values.items()}
        assert client.message().properties == expected


@holds(v5="3.3.4-3 3.1.2-23")
def test_identifiers_are_part_of_the_session(new: NewClient, name: str) -> None:
    client = new(V5).connect(name, **lasting(V5))
    client.subscribe(name, qos=1, subscription_identifier=7)
    client.disconnect()
    publisher = new(V5).connect()
    publisher.publish(name, b"", 1)
    again = new(V5).connect(name, **lasting(V5))
    assert again.message().properties == {"subscription_identifier": [7]}
    publisher.publish(name, b"", 1)
    assert again.message().properties == {"subscription_identifier": [7]}


@holds(v5="3.3.4-3")
def test_a_retained_message_names_its_subscription(new: NewClient, name: str) -> None:
    new(V5).connect().publish(name, b"1", retain=True)
    client = new(V5).connect()
    client.subscribe(name, subscription_identifier=9)
    assert client.message().properties == {"subscription_identifier": [9]}


# --- what is refused ---

FILTERS = {
    "none": b"",
    "QoS 3": string("a") + b"\x03",
    "reserved bits": string("a") + b"\xc0",
    "one reserved bit": string("a") + b"\x41",
    "no options": string("a"),
    "no UTF-8": string(b"\xff") + b"\0",
    "surrogate": string(b"\xed\xa0\x80") + b"\0",
    "U+0000": string("a\0") + b"\0",
    "cut short": b"\x00\x05ab",
}


@holds(
    v311="1.5.3-1 1.5.3-2 3.8.3-1 3.8.3-3 3.8.3-4 4.7.3-2 4.8.0-1",
    v5="1.5.4-1 1.5.4-2 3.8.3-1 3.8.3-2 3.8.3-5 4.7.3-2 4.13.1-1",
)
@pytest.mark.parametrize("case", FILTERS)
def test_a_malformed_subscribe_is_refused(new: NewClient, version: int, case: str) -> None:
    client = new(version).connect()
    client.send(frame(0x82, b"\0\1" + properties(version, {}) + FILTERS[case]))
    client.refused(0x81, 0x82, 0x8F)


@holds(v311="3.8.3-4 4.8.0-1")
@pytest.mark.parametrize("options", [0x04, 0x08, 0x10, 0x20])
def test_the_options_of_5_are_reserved_in_3_1_1(new: NewClient, name: str, options: int) -> None:
    client = new(V3).connect()
    client.send(packets.subscribe(V3, 1, (name, options)))
    client.refused()


def test_retain_handling_3_is_a_protocol_error(new: NewClient, name: str) -> None:
    """MQTT 5, 3.8.3.1."""
    client = new(V5).connect()
    client.send(packets.subscribe(V5, 1, (name, 0x30)))
    client.refused(0x81, 0x82)


@holds(v5="4.13.1-1")
@pytest.mark.parametrize(
    "section",
    [b"\x02\x0b\x00", b"\x04\x0b\x01\x0b\x02", b"\x03\x21\x00\x01", b"\x05\x0b\xff\xff\xff\xff", b"\x7f"],
    ids=["identifier 0", "two identifiers", "of CONNECT", "identifier too long", "longer than the packet"],
)
def test_bad_properties_of_subscribe_are_refused(new: NewClient, name: str, section: bytes) -> None:
    client = new(V5).connect()
    client.send(frame(0x82, b"\0\1" + section + string(name) + b"\0"))
    client.refused(0x81, 0x82)


@holds(v311="2.3.1-1 4.8.0-1", v5="2.2.1-3 4.13.1-1")
@pytest.mark.parametrize("kind", ["SUBSCRIBE", "UNSUBSCRIBE"])
def test_identifier_0_is_refused(new: NewClient, version: int, name: str, kind: str) -> None:
    client = new(version).connect()
    subscribe = kind == "SUBSCRIBE"
    client.send(packets.subscribe(version, 0, (name, 0)) if subscribe else packets.unsubscribe(version, 0, name))
    client.refused(0x81, 0x82)


# --- UNSUBSCRIBE ---


@holds(v311="2.3.1-7 3.10.4-1 3.10.4-2 3.10.4-4", v5="2.2.1-6 3.10.4-1 3.10.4-2 3.10.4-4 3.10.4-5 3.11.3-2")
def test_an_ended_subscription_brings_nothing_more(new: NewClient, version: int, name: str) -> None:
    client, publisher = new(version).connect(), new(version).connect()
    client.subscribe(f"{name}/a", f"{name}/+", qos=1)
    client.unsubscribe(f"{name}/+")
    publisher.publish(f"{name}/b", b"", 1)
    publisher.publish(f"{name}/a", b"", 1)
    assert client.message().topic == f"{name}/a"  # what matches otherwise still comes
    client.unsubscribe(f"{name}/a")
    publisher.publish(f"{name}/a", b"", 1)
    assert client.ping() == []


@holds(v311="3.10.4-1 3.10.4-5", v5="3.10.4-1 3.10.4-5 3.11.3-2")
def test_only_an_equal_filter_is_ended(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    client.subscribe(f"{name}/a")
    for other in (f"{name}/+", f"{name}/#", f"{name}/A", f"{name}/a/", name, "#"):
        unsuback = client.unsubscribe(other)
        assert unsuback.codes == ((0x11,) if version == V5 else ())
    new(version).connect().publish(f"{name}/a", b"still")
    assert client.message().payload == b"still"


@holds(v311="3.10.4-6", v5="3.10.4-6 3.11.3-1 3.11.3-2")
def test_unsuback_is_one_for_all_filters(new: NewClient, version: int, name: str) -> None:
    client = new(version).connect()
    client.subscribe(f"{name}/a", f"{name}/c")
    unsuback = client.unsubscribe(f"{name}/a", f"{name}/b", f"{name}/c", f"{name}/a")
    assert unsuback.codes == ((0, 0x11, 0, 0x11) if version == V5 else ())
    publisher = new(version).connect()
    publisher.publish(f"{name}/a")
    publisher.publish(f"{name}/c")
    assert client.ping() == []


@holds(v311="3.10.4-3", v5="3.10.4-3")
@pytest.mark.parametrize("qos", [1, 2])
def test_what_is_on_its_way_is_delivered_to_the_end(new: NewClient, version: int, name: str, qos: int) -> None:
    client = new(version).connect(name, **lasting(version))
    client.subscribe(name, qos=qos)
    new(version).connect().publish(name, b"1", qos)
    first = client.expect(Kind.PUBLISH)
    client.unsubscribe(name)
    client.drop()
    again = new(version).connect(name, **lasting(version))
    second = again.message()
    assert (second.packet_id, second.payload, second.dup) == (first.packet_id, b"1", True)


@holds(v311="1.5.3-1 3.10.3-1 3.10.3-2 4.8.0-1", v5="1.5.4-1 3.10.3-1 3.10.3-2 4.13.1-1")
@pytest.mark.parametrize("filters", [b"", string(b"\xff"), b"\x00\x05ab", string("a\0")])
def test_a_malformed_unsubscribe_is_refused(new: NewClient, version: int, filters: bytes) -> None:
    client = new(version).connect()
    client.send(frame(0xA2, b"\0\1" + properties(version, {}) + filters))
    client.refused(0x81, 0x82, 0x8F)
