"""The generator's JSON payloads (`generator/payload.c`), for those who make or verify them in Python."""

import msgspec

SIZE = 200
"""Bytes."""

_TEXT = (
    '{{"magic":"f09ba2c4","publisher":"{publisher:08x}","sequence":"{sequence:016x}",'
    '"temperature":21.5,"humidity":48,"on":true,"position":{{"lat":47.37,"lon":8.54}},"filler":"{filler}"}}'
)
_FILLER = "Z" * (SIZE - len(_TEXT.format(publisher=0, sequence=0, filler="")))


class _Said(msgspec.Struct, frozen=True):
    publisher: str
    sequence: str


def payload(publisher: int, sequence: int) -> bytes:
    """One of `SIZE` bytes."""
    return _TEXT.format(publisher=publisher, sequence=sequence, filler=_FILLER).encode()


def read(body: bytes) -> tuple[int, int] | None:
    """Publisher and sequence number; None where nobody sent this.

    The bytes may differ, for what was taken apart may be put together with spaces; what they say may not.
    """
    try:
        said = msgspec.json.decode(body, type=_Said)
        publisher, sequence = int(said.publisher, 16), int(said.sequence, 16)
    except ValueError:  # msgspec's errors are such, too
        return None
    if publisher < 0 or sequence < 0:
        return None
    sent = payload(publisher, sequence)
    same = sent == body or msgspec.json.decode(sent) == msgspec.json.decode(body)
    return (publisher, sequence) if same else None
