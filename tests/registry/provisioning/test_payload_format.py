"""Requests and answers in both formats."""

import cbor2
import msgspec
import pytest

from fogbank.registry.provisioning.errors import InvalidPayload
from fogbank.registry.provisioning.payload_format import PayloadFormat

BOTH = pytest.mark.parametrize("format_", PayloadFormat)


@BOTH
def test_an_empty_payload_has_no_members(format_: PayloadFormat) -> None:
    assert format_.decode(b"") == {}


@BOTH
def test_members(format_: PayloadFormat) -> None:
    document = {"parameters": {"a": "ü"}, "n": 1}
    assert format_.decode(format_.encode(document)) == document


def test_formats_are_what_their_names_say() -> None:
    assert msgspec.json.decode(PayloadFormat.JSON.encode({"a": 1})) == {"a": 1}
    assert cbor2.loads(PayloadFormat.CBOR.encode({"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b'"a"',
        b"1",
        b"null",
        b'{"a":1}x',
        b"\xff",
        b'{"a":"\xff"}',
        b"[" * 100_000,
        b"\xef\xbb\xbf{}",
        b"NaN",
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_no_json_map(payload: bytes) -> None:
    with pytest.raises(InvalidPayload):
        PayloadFormat.JSON.decode(payload)


@pytest.mark.parametrize("payload", [b"{}", b"\x80", b"\x61a", b"\x01", b"\xf6", b"\xa0\xa0", b"\x81" * 100_000])
def test_what_is_no_cbor_map(payload: bytes) -> None:
    with pytest.raises(InvalidPayload):
        PayloadFormat.CBOR.decode(payload)
