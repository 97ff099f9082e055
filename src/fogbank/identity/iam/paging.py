"""IAM's lists: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out.

The marker is the place after which to go on, in base64 so that nobody builds on it; what is added or removed in between
neither repeats nor hides others."""

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from fogbank.identity.iam.errors import InvalidInput

T = TypeVar("T")

DEFAULT_ITEMS = 100
_LONGEST_MARKER = 1024


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page; `marker` is that of the following one, None on the last."""

    items: list[T]
    marker: str | None = None


class Paging(msgspec.Struct, frozen=True):
    """What the caller asked for."""

    marker: str | None = None
    most: int | None = None

    def cut(self, listed: Iterable[T], place: Callable[[T], str]) -> Page[T]:
        """The page asked for of a list, in the order of places. Raises InvalidInput for a marker that is none."""
        ordered = sorted(listed, key=place)
        if self.marker is not None:
            after = _read(self.marker)
            ordered = [one for one in ordered if place(one) > after]
        most = DEFAULT_ITEMS if self.most is None else self.most
        page = ordered[:most]
        return Page(page, _write(place(page[-1])) if len(ordered) > most else None)


def _write(place: str) -> str:
    return base64.b64encode(place.encode()).decode()


def _read(marker: str) -> str:
    try:
        if len(marker) > _LONGEST_MARKER:
            raise ValueError
        return base64.b64decode(marker, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidInput("Invalid Marker: pass the Marker of the page before") from None
