"""CBOR from outside (RFC 8949), of which provisioning takes what JSON has too: maps, lists, text and plain values.

cbor2 reads without recursion and believes no length that is not there. What it must not do is make decimals, regular
expressions, fractions or whatever else tags stand for, at a stranger's word: every tag is refused, and so are names
that come twice.
"""

import io
from collections.abc import Mapping
from typing import Any, NoReturn

import cbor2

DEPTH = 4
"""Levels of maps and lists below the outermost; requests have one."""


class InvalidCbor(ValueError):
    """The bytes are not one item of CBOR as it is taken here; the text says why."""


def _refused(*_: object) -> NoReturn:
    raise ValueError("tags are not taken")


_TAGS = dict.fromkeys((*range(64), 100, 256, 258, 260, 261, 1004, 43000, 55799), _refused)
"""All that cbor2 has a meaning for, and then some; the rest come to `tag_hook`."""


def decode(data: bytes) -> Any:
    """The one item that `data` is. Raises InvalidCbor."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_refused,
        semantic_decoders=_TAGS,
        max_depth=DEPTH,
        allow_duplicate_keys=False,
        read_size=1,
    )
    try:
        item = decoder.decode()
    except (cbor2.CBORDecodeError, ValueError, TypeError) as error:
        raise InvalidCbor(str(error)) from None
    if stream.tell() != len(data):
        raise InvalidCbor("there is more behind the first CBOR item")
    return item


def encode(document: Mapping[str, Any]) -> bytes:
    """Text, numbers and maps, in the shortest form."""
    return cbor2.dumps(dict(document))
