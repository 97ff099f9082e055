"""Messages of Protocol Buffers (developer guide: "Decoding protobuf message payloads"; protobuf.dev: "Encoding").

The messages are bytes written down by the rules of the encoding guide, so that they do not come from the library that
reads them.
"""

import base64
import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf import (  # type: ignore[import-untyped]
    any_pb2,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor_pb2 import (  # type: ignore[import-untyped]
    FileDescriptorProto,
    FileDescriptorSet,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sql.outside.world import World

from fogbank.sql import Answers, CannedAnswers, Event, Outcome, Version, compile_statement, parse
from fogbank.sql.protobuf import MAX_DESCRIPTORS, ProtobufError, decode

V2015, V2016 = Version.V2015_10_08, Version.V2016_03_23

# name, number, type and label, as in descriptor.proto
DOUBLE, FLOAT, INT64, UINT64, INT32, BOOL, STRING, MESSAGE, BYTES, ENUM, SINT32 = 1, 2, 3, 4, 5, 8, 9, 11, 12, 14, 17
OPTIONAL, REPEATED = 1, 3
FIELDS = [
    ("count", 1, INT32, OPTIONAL, ""),
    ("some_text", 2, STRING, OPTIONAL, ""),
    ("numbers", 3, INT32, REPEATED, ""),
    ("ratio", 4, DOUBLE, OPTIONAL, ""),
    ("big", 5, INT64, OPTIONAL, ""),
    ("raw", 6, BYTES, OPTIONAL, ""),
    ("on", 7, BOOL, OPTIONAL, ""),
    ("level", 8, ENUM, OPTIONAL, ".fleet.Telemetry.Level"),
    ("inner", 9, MESSAGE, OPTIONAL, ".fleet.Telemetry"),
    ("zigzag", 10, SINT32, OPTIONAL, ""),
    ("unsigned", 11, UINT64, OPTIONAL, ""),
    ("single", 12, FLOAT, OPTIONAL, ""),
    ("all", 13, MESSAGE, REPEATED, ".fleet.Telemetry"),
]


def descriptors(package: str = "fleet", file: str = "telemetry.proto") -> bytes:
    described = FileDescriptorProto(name=file, package=package, syntax="proto3")
    message = described.message_type.add(name="Telemetry")
    level = message.enum_type.add(name="Level")
    level.value.add(name="LOW", number=0)
    level.value.add(name="HIGH", number=1)
    for name, number, type_, label, of in FIELDS:
        field = message.field.add(name=name, number=number, type=type_, label=label)
        if of:
            field.type_name = of.replace("fleet", package)
    content: bytes = FileDescriptorSet(file=[described]).SerializeToString()
    return content


DESCRIPTORS = descriptors()


@pytest.mark.parametrize(
    ("message", "value"),
    [
        # the encoding guide's own: 150 as a varint, "testing", the packed 3, 270, 86942
        ("08 96 01", {"count": 150}),
        ("12 07 74 65 73 74 69 6e 67", {"someText": "testing"}),
        ("1a 06 03 8e 02 9e a7 05", {"numbers": [3, 270, 86942]}),
        ("18 03 18 8e 02", {"numbers": [3, 270]}),
        ("08 fe ff ff ff ff ff ff ff ff 01", {"count": -2}),
        ("21 9a 99 99 99 99 99 b9 3f", {"ratio": Decimal("0.1")}),
        ("21 00 00 00 00 00 00 14 40", {"ratio": 5}),
        ("21 00 00 00 00 00 00 f8 7f", {"ratio": "NaN"}),
        ("65 cd cc cc 3d", {"single": Decimal("0.1")}),
        ("28 ff ff ff ff ff ff ff ff 7f", {"big": "9223372036854775807"}),
        ("58 ff ff ff ff ff ff ff ff ff 01", {"unsigned": "18446744073709551615"}),
        ("32 02 ff 00", {"raw": "/wA="}),
        ("38 01", {"on": True}),
        ("40 01", {"level": "HIGH"}),
        ("40 07", {"level": 7}),
        ("4a 02 08 01", {"inner": {"count": 1}}),
        ("50 03", {"zigzag": -2}),
        ("6a 02 08 01 6a 00", {"all": [{"count": 1}, {}]}),
        ("08 01 08 02", {"count": 2}),
        ("fa 07 03 61 62 63 08 01", {"count": 1}),
        ("08 00", {}),
        ("", {}),
    ],
)
def test_messages(message: str, value: object) -> None:
    actual = decode(bytes.fromhex(message), DESCRIPTORS, "telemetry", "Telemetry", V2016)
    assert actual == value
    assert list(map(type, actual.values())) == list(map(type, value.values()))  # type: ignore[union-attr, attr-defined]


def test_in_2015_numbers_keep_their_point() -> None:
    value = decode(bytes.fromhex("21 00 00 00 00 00 00 14 40"), DESCRIPTORS, "telemetry", "Telemetry", V2015)
    assert str(value) == "{'ratio': Decimal('5.0')}"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("08", "the data is no message of the type Telemetry"),
        ("12 07 74", "the data is no message of the type Telemetry"),
        ("12 01 ff", "the data is no message of the type Telemetry"),
        ("4a 7f", "the data is no message of the type Telemetry"),
        ("0b", "the data is no message of the type Telemetry"),
    ],
)
def test_malformed_messages(message: str, why: str) -> None:
    with pytest.raises(ProtobufError, match=why):
        decode(bytes.fromhex(message), DESCRIPTORS, "telemetry", "Telemetry", V2016)


def well_known() -> bytes:
    """Descriptors of `message M`, whose fields have the types that the JSON mapping treats specially."""
    files = [any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2]
    described = FileDescriptorSet()
    for file in files:
        described.file.add().ParseFromString(file.DESCRIPTOR.serialized_pb)
    own = described.file.add(name="m.proto", package="p", syntax="proto3")
    own.dependency.extend(file.DESCRIPTOR.name for file in files)
    message = own.message_type.add(name="M")
    entry = message.nested_type.add(name="MapEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=OPTIONAL)
    entry.field.add(name="value", number=2, type=INT32, label=OPTIONAL)
    kinds = ["google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.Struct"]
    kinds += ["google.protobuf.Int64Value", "google.protobuf.Any", "p.M"]
    for number, kind in enumerate(kinds, 1):
        message.field.add(
            name=kind.rpartition(".")[2].lower(), number=number, type=MESSAGE, label=OPTIONAL, type_name=f".{kind}"
        )
    message.field.add(name="map", number=7, type=MESSAGE, label=REPEATED, type_name=".p.M.MapEntry")
    content: bytes = described.SerializeToString()
    return content


def hexadecimal(text: str) -> str:
    return text.encode().hex()


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("0a 06 08 05 10 c0 84 3d", {"timestamp": "1970-01-01T00:00:05.001Z"}),
        ("12 04 08 03 10 05", {"duration": "3.000000005s"}),
        ("1a 10 0a 0e 0a 01 61 12 09 11 00 00 00 00 00 00 f8 3f", {"struct": {"a": Decimal("1.5")}}),
        ("1a 07 0a 05 0a 01 61 12 00", {"struct": {"a": None}}),
        ("22 02 08 07", {"int64value": "7"}),
        (
            f"2a 0f 0a 09 {hexadecimal('a.com/p.M')} 12 02 32 00",
            {"any": {"@type": "a.com/p.M", "m": {}}},
        ),
        ("3a 05 0a 01 6b 10 05 3a 02 10 05", {"map": {"k": 5, "": 5}}),
    ],
)
def test_types_that_are_well_known(message: str, value: object) -> None:
    assert decode(bytes.fromhex(message), well_known(), "m", "M", V2016) == value


@pytest.mark.parametrize(
    "message",
    [
        "0a 0b 08 80 80 e9 be fd cf 9c fe ff 01",  # a Timestamp long before the year 1
        "1a 10 0a 0e 0a 01 61 12 09 11 00 00 00 00 00 00 f8 7f",  # NaN in a Struct
        f"2a 0b 0a 09 {hexadecimal('a.com/p.N')}",  # an Any of a type that is not described
        f"2a 05 0a 03 {hexadecimal('abc')}",
    ],
)
def test_what_the_mapping_has_no_words_for(message: str) -> None:
    with pytest.raises(ProtobufError, match="the data is no message of the type M"):
        decode(bytes.fromhex(message), well_known(), "m", "M", V2016)


def test_messages_nested_too_deep() -> None:
    message = b""
    for _ in range(200):
        length = len(message)
        message = b"\x4a" + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + message
    with pytest.raises(ProtobufError, match="the data is no message of the type Telemetry"):
        decode(message, DESCRIPTORS, "telemetry", "Telemetry", V2016)


@pytest.mark.parametrize(
    ("content", "file", "type_", "why"),
    [
        (b"\xff", "telemetry", "Telemetry", "the descriptors are no FileDescriptorSet"),
        (b"", "telemetry", "Telemetry", "the descriptors describe nothing, not telemetry.proto"),
        (DESCRIPTORS, "other", "Telemetry", "the descriptors describe telemetry.proto, not other.proto"),
        (DESCRIPTORS, "telemetry", "Other", "telemetry.proto declares no message type Other"),
        (
            b"\x00" * (MAX_DESCRIPTORS + 1),
            "telemetry",
            "Telemetry",
            "the descriptors have 32769 bytes; 32768 are allow",
        ),
        (
            FileDescriptorSet(
                file=[FileDescriptorProto(name="telemetry.proto", dependency=["a.proto"])]
            ).SerializeToString(),
            "telemetry",
            "Telemetry",
            "the descriptors do not fit together",
        ),
    ],
)
def test_descriptors_that_cannot_be_used(content: bytes, file: str, type_: str, why: str) -> None:
    with pytest.raises(ProtobufError, match=why):
        decode(b"", content, file, type_, V2016)


@pytest.mark.parametrize(
    ("package", "file", "asked", "type_"),
    [
        ("fleet", "telemetry.proto", "telemetry.proto", "Telemetry"),
        ("fleet", "telemetry.proto", "telemetry", "fleet.Telemetry"),
        ("a.b", "protos/telemetry.proto", "protos/telemetry", "Telemetry"),
    ],
)
def test_ways_to_name_a_type(package: str, file: str, asked: str, type_: str) -> None:
    assert decode(b"\x08\x01", descriptors(package, file), asked, type_, V2016) == {"count": 1}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=60) | st.just(DESCRIPTORS))
def test_whatever_comes_is_an_object_or_an_error(message: bytes, content: bytes) -> None:
    try:
        value = decode(message, content, "telemetry", "Telemetry", V2016)
    except ProtobufError:
        return
    assert isinstance(value, dict)


# --- as a function --------------------------------------------------------------------------------------------------

CALL = "decode({}, 'proto', 'bucket', 'fleet/telemetry.desc', 'telemetry', 'Telemetry')"


async def evaluate(value: str, payload: bytes, content: Any = DESCRIPTORS) -> tuple[Outcome, World]:
    query = compile_statement(parse(f"SELECT VALUE {CALL.format(value)} FROM 't'", V2016))
    world = World(object=content)
    return await query.evaluate_asking(Event(topic="t", payload=payload), Answers(world, V2016)), world


@pytest.mark.parametrize("value", ["*", "encode(*, 'base64')"])
async def test_the_payload_is_decoded(value: str) -> None:
    outcome, world = await evaluate(value, b"\x08\x96\x01")
    assert outcome == Outcome(True, b'{"count":150}')
    assert world.asked == [("object", "bucket", "fleet/telemetry.desc")]


async def test_base64_in_a_member_of_the_payload_is_decoded() -> None:
    outcome, _ = await evaluate("data", b'{"data": "%s"}' % base64.b64encode(b"\x08\x96\x01"))
    assert outcome.output == b'{"count":150}'


@pytest.mark.parametrize(
    ("value", "payload", "content", "failure"),
    [
        ("*", b"\x08", DESCRIPTORS, "decode() failed: the data is no message of the type Telemetry"),
        ("*", b"", b"\xff", "decode() failed: the descriptors are no FileDescriptorSet"),
        ("'a!'", b"", DESCRIPTORS, "decode() failed: the value is not base64"),
    ],
)
async def test_what_cannot_be_decoded_fails_the_rule(value: str, payload: bytes, content: bytes, failure: str) -> None:
    outcome, _ = await evaluate(value, payload, content)
    assert not outcome.fires
    assert outcome.failure is not None
    assert outcome.failure.startswith(failure)


def test_members_of_the_message_are_reached_by_paths() -> None:
    query = compile_statement(parse(f"SELECT {CALL.format('*')}.inner.count AS n FROM 't' WHERE 1 = 1", V2016))
    known = CannedAnswers({"decode": DESCRIPTORS}, V2016)
    assert query.evaluate(Event(topic="t", payload=b"\x4a\x02\x08\x05"), known).output == b'{"n":5}'


def test_the_library_is_loaded_by_those_who_need_it() -> None:
    script = (
        "import sys; from fogbank.sql import parse, compile_statement as c; "
        "c(parse(\"SELECT decode(a, 'base64') AS a\", '2016-03-23')); before = 'google.protobuf' in sys.modules; "
        f'c(parse("SELECT {CALL.format("*")} AS a", "2016-03-23")); print(before, "google.protobuf" in sys.modules)'
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"
