"""Lists in pages with an opaque token: the key after which to go on, bound to the list it was given for.

Pages follow the order of keys, so that what is added or removed between two pages neither repeats nor hides others.
"""

import base64
import binascii
import hashlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.storage.collection import Stored

T = TypeVar("T", bound=msgspec.Struct)
U = TypeVar("U")

LARGEST_PAGE = 250
USUAL_PAGE = 50
"""The page size of the lists with `nextToken` where the caller names none. UNVERIFIED: AWS documents no figure."""
MARKER_PAGE = 25
"""The page size of the lists with `marker` where the caller names none (API reference, ListCertificates)."""
_LONGEST_TOKEN = 1024

Read = Callable[[str, int], Awaitable[list[Stored[T]]]]
"""`read(after, limit)`: up to `limit` stored values in key order, from the first key greater than `after`."""


class Page(msgspec.Struct, Generic[U], frozen=True):
    """One page; `next` is the token of the following one, None on the last."""

    items: list[U]
    next: str | None = None


class Paging(msgspec.Struct, frozen=True):
    """What the caller asked for: the token as it came and how many at most."""

    token: str | None = None
    size: int | None = None

    async def page(self, scope: str, read: Read[T], *, default: int = USUAL_PAGE) -> Page[Stored[T]]:
        """The page asked for. `scope` names the list with its filters. Raises InvalidRequest for a foreign token."""
        size = default if self.size is None else self.size
        if not 1 <= size <= LARGEST_PAGE:
            raise InvalidRequest(f"A page holds between 1 and {LARGEST_PAGE} results, not {size}")
        found = await read(self._after(scope), size + 1)
        following = _encode(scope, found[size - 1].key) if len(found) > size else None
        return Page(found[:size], following)

    async def values(self, scope: str, read: Read[T], *, default: int = USUAL_PAGE) -> Page[T]:
        """The page asked for, of the values alone. Raises as `page`."""
        page = await self.page(scope, read, default=default)
        return Page([one.value for one in page.items], page.next)

    def _after(self, scope: str) -> str:
        if self.token is None:
            return ""
        try:
            if len(self.token) > _LONGEST_TOKEN:
                raise ValueError
            seal, _, key = base64.b64decode(self.token, validate=True).decode().partition(":")
            if seal != _seal(scope):
                raise ValueError
        except (binascii.Error, ValueError):
            raise InvalidRequest("Invalid token: pass the token of the page before, with the same filters") from None
        return key


def _encode(scope: str, key: str) -> str:
    return base64.b64encode(f"{_seal(scope)}:{key}".encode()).decode()


def _seal(scope: str) -> str:
    return hashlib.blake2b(scope.encode(), digest_size=6).hexdigest()


def filtered(read: Read[T], match: Callable[[T], bool], batch: int = LARGEST_PAGE) -> Read[T]:
    """`read` with only those values that match, reading on in batches until there are enough of them."""

    async def read_matching(after: str, limit: int) -> list[Stored[T]]:
        found: list[Stored[T]] = []
        while len(found) < limit:
            read_now = await read(after, max(limit, batch))
            found += [one for one in read_now if match(one.value)]
            if len(read_now) < max(limit, batch):
                break
            after = read_now[-1].key
        return found[:limit]

    return read_matching
