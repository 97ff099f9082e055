"""MD2 (RFC 1319): old, broken, in no library of Python's any more, and in AWS IoT SQL."""

from typing import Final

_BLOCK: Final = 16
_ROUNDS: Final = 18

_SUBSTITUTION: Final = bytes.fromhex(
    "292e43c9a2d87c013d3654a1ecf0061362a705f3c0c7738c98932bd9bc4c82ca1e9b573cfdd4e01667426f188a17e512"
    "be4ec4d6da9ede49a0fbf58ebb2fee7aa968799115b2073f94c210890b225f21807f5d9a5a903227353ecce7bff79703"
    "ff1930b348a5b5d1d75e922aac56aac64fb838d296a47db676fc6be29c7404f1459d705964718720865bcf65e62da802"
    "1b6025adaeb0b9f61c46616934407e0f5547a323dd51af3ac35cf9cebac5ea262c530d6e85288409d3dfcdf441814d52"
    "6adc37c86cc1abfa24e17b080cbdb14a7888958be363e86de9cbd5fe3b001d39f2efb70e6658d0e4a67772f8eb754b0a"
    "314450b48fed1f1adb998d339f118314"
)
"""A permutation of the bytes, shuffled by the digits of pi (RFC 1319, section 3.2)."""


def md2(content: bytes) -> bytes:
    """The digest, 16 bytes. About 50 microseconds for every 16 bytes of content."""
    padding = _BLOCK - len(content) % _BLOCK
    padded = content + bytes([padding]) * padding
    state = bytes(_BLOCK)
    for block in _blocks(padded + _checksum(padded)):
        state = _mix(state, block)
    return state


def _blocks(content: bytes) -> list[bytes]:
    return [content[at : at + _BLOCK] for at in range(0, len(content), _BLOCK)]


def _checksum(padded: bytes) -> bytes:
    checksum = bytearray(_BLOCK)
    last = 0
    for block in _blocks(padded):
        for at, byte in enumerate(block):
            checksum[at] = last = checksum[at] ^ _SUBSTITUTION[byte ^ last]
    return bytes(checksum)


def _mix(state: bytes, block: bytes) -> bytes:
    mixed = bytearray(state + block + bytes(a ^ b for a, b in zip(state, block, strict=True)))
    carry = 0
    for turn in range(_ROUNDS):
        for at, byte in enumerate(mixed):
            mixed[at] = carry = byte ^ _SUBSTITUTION[carry]
        carry = (carry + turn) % 256
    return bytes(mixed[:_BLOCK])
