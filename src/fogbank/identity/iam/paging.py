"""IAM's lists: `Marker` and `MaxItems` in, `IsTruncated` and `Marker` out."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

from fogbank.identity import markers
from fogbank.identity.iam.errors import InvalidInput

T = TypeVar("T")

DEFAULT_ITEMS = 100


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
        return Page(page, markers.write(place(page[-1])) if len(ordered) > most else None)


def _read(marker: str) -> str:
    try:
        return markers.read(marker)
    except ValueError:
        raise InvalidInput("Invalid Marker: pass the Marker of the page before") from None
