"""Lists with `marker` and `pageSize`. They are short (AWS allows a hundred authorizers), so a page is cut from a whole
list; the marker is the name after which to go on, so that what is added in between neither repeats nor hides others."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from fogbank.errors import InvalidRequest
from fogbank.identity import markers

PAGE = 25
"""Where the request does not say; UNVERIFIED for these lists, it is what ListCertificates does."""


class Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def cut(
    listed: Sequence[N], marker: str | None, size: int | None, *, descending: bool = False
) -> tuple[list[N], str | None]:
    """A page of `listed`, in the order of names, and the marker of the next one. Raises InvalidRequest."""
    ordered = sorted(listed, key=lambda one: one.name, reverse=descending)
    if marker is not None:
        last = _read(marker)
        ordered = [one for one in ordered if (one.name < last if descending else one.name > last)]
    size = PAGE if size is None else size
    page = ordered[:size]
    return page, markers.write(page[-1].name) if len(ordered) > size else None


def _read(marker: str) -> str:
    try:
        return markers.read(marker)
    except ValueError:
        raise InvalidRequest("Invalid marker: pass the nextMarker of the page before") from None
