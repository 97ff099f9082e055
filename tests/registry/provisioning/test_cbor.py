"""CBOR from strangers: vectors of RFC 8949's appendix A for what is taken, and hostile ones for what is not."""

import time
import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.registry.provisioning import cbor

TAKEN: dict[str, Any] = {
    "00": 0,
    "1b000000e8d4a51000": 1_000_000_000_000,
    "20": -1,
    "f5": True,
    "f6": None,
    "60": "",
    "6449455446": "IETF",
    "62c3bc": "ü",
    "80": [],
    "83010203": [1, 2, 3],
    "a0": {},
    "a26161016162820203": {"a": 1, "b": [2, 3]},
    "8181818180": [[[[[]]]]],
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    "7f657374726561646d696e67ff": "streaming",
    "bf61610161629f0203ffff": {"a": 1, "b": [2, 3]},
}
REFUSED = {
    "nothing": "",
    "a head without its end": "1b0000",
    "a text that is not there": "6449",
    "a text longer than the memory": "7b7fffffffffffffff61",
    "bytes longer than the memory": "5bffffffffffffffff00",
    "a list longer than the memory": "9bffffffffffffffff01",
    "a map longer than the memory": "bbffffffffffffffff6161",
    "two items": "0001",
    "junk behind a map": "a0ff",
    "a break alone": "ff",
    "text that is not UTF-8": "62c328",
    "a name twice": "a2616101616102",
    "a head of a reserved form": "1c",
    "a date": "c074323031332d30332d32315432303a30343a30305a",
    "a big number": "c249010000000000000000",
    "a decimal of four billion digits": "c4821b00000000ffffffff01",
    "a big float": "c5821a0fffffff01",
    "a regular expression": "d823685e28612b292b24",
    "a fraction of nothing": "d81e820100",
    "a list within itself": "d81c81d81d00",
    "a set of a list": "d901028180",
    "what says that it is CBOR": "d9d9f700",
    "a tag nobody knows": "da7fffffff00",
    "a map as a name": "a1a0d81d00",
    "a level too many": "818181818180",
}


@pytest.mark.parametrize("data", TAKEN)
def test_what_json_has_too_is_taken(data: str) -> None:
    assert cbor.decode(bytes.fromhex(data)) == TAKEN[data]


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what: str) -> None:
    with pytest.raises(cbor.InvalidCbor):
        cbor.decode(bytes.fromhex(REFUSED[what]))


@pytest.mark.parametrize("opening", ["81", "a1", "a16161", "9f", "bf", "c6", "d818"])
def test_depth_is_bounded_and_costs_no_recursion(opening: str) -> None:
    with pytest.raises(cbor.InvalidCbor):
        cbor.decode(bytes.fromhex(opening) * 40_000)


@pytest.mark.parametrize("inner", ["6161", "01", "80", "a0", "41ff", "820102"])
def test_no_tag_means_anything_here(inner: str) -> None:
    for tag in (*range(66_000), 2**32, 2**64 - 1):
        encoded = cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1] + bytes.fromhex(inner)
        with pytest.raises(cbor.InvalidCbor):
            cbor.decode(encoded)


@pytest.mark.parametrize("size", [2**16, 2**31 - 1, 2**32, 2**63 - 1])
@pytest.mark.parametrize("kind", [0x40, 0x60, 0x80, 0xA0])
def test_a_length_that_is_not_there_takes_no_memory(kind: int, size: int) -> None:
    data = bytes([kind | 27]) + size.to_bytes(8, "big") + b"\0"
    tracemalloc.start()
    try:
        with pytest.raises(cbor.InvalidCbor):
            cbor.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"\x9f" + b"\x60" * 131_000 + b"\xff", b"\x7f" + b"\x60" * 131_000 + b"\xff"])
def test_the_most_items_that_fit_in_a_message_are_read_soon(data: bytes) -> None:
    began = time.perf_counter()
    cbor.decode(data)
    assert time.perf_counter() - began < 1


@given(st.binary(max_size=200))
def test_any_bytes_are_an_item_or_refused(data: bytes) -> None:
    try:
        cbor.decode(data)
    except cbor.InvalidCbor:
        pass


names = st.text(max_size=5)
documents = st.dictionaries(names, st.one_of(names, st.integers(0, 2**64 - 1), st.dictionaries(names, names)))


@given(documents)
def test_what_is_written_is_read(document: dict[str, Any]) -> None:
    assert cbor.decode(cbor.encode(document)) == document


@given(documents, st.data())
def test_less_than_all_of_an_item_is_none(document: dict[str, Any], data: st.DataObject) -> None:
    whole = cbor.encode(document)
    with pytest.raises(cbor.InvalidCbor):
        cbor.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])
