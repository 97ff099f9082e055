"""Lists in pages with an opaque token: the key after which to go on, bound to the list it was given for."""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.storage.collection import Stored

T = TypeVar("T", bound=msgspec.Struct)

LARGEST = 250
_LONGEST_TOKEN = 1024
_BATCH = 250

Read = Callable[[str, int], Awaitable[list[Stored[T]]]]
"""`read(after, limit)`: up to `limit` stored values in key order, from the first key greater than `after`."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page; `next` is the token of the following one, None on the last."""

    items: list[T]
    next: str | None


class Paging(msgspec.Struct, frozen=True):
    """What the caller asked for: the token as it came and how many at most."""

    token: str | None = None
    size: int | None = None

    async def page(self, scope: str, read: Read[T], match: Callable[[T], bool] | None = None) -> Page[T]:
        """The page asked for, of those that match. `scope` names the list with its filters. Raises InvalidRequest."""
        size = LARGEST if self.size is None else self.size
        after = _decode(self.token, scope)
        found: list[Stored[T]] = []
        limit = size + 1 if match is None else _BATCH
        while len(found) <= size:
            batch = await read(after, limit)
            found += batch if match is None else [one for one in batch if match(one.value)]
            if len(batch) < limit:
                break
            after = batch[-1].key
        following = _encode(found[size - 1].key, scope) if len(found) > size else None
        return Page([one.value for one in found[:size]], following)


def _encode(key: str, scope: str) -> str:
    return base64.b64encode(f"{_seal(scope)}:{key}".encode()).decode()


def _decode(token: str | None, scope: str) -> str:
    if token is None:
        return ""
    try:
        if len(token) > _LONGEST_TOKEN:
            raise ValueError
        seal, _, key = base64.b64decode(token, validate=True).decode().partition(":")
        if seal != _seal(scope):
            raise ValueError
    except (binascii.Error, ValueError):
        raise InvalidRequest("Invalid nextToken: pass the token of the page before, with the same filters") from None
    return key


def _seal(scope: str) -> str:
    return hashlib.blake2b(scope.encode(), digest_size=6).hexdigest()
