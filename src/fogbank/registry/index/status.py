"""How far an index is: being built from nothing, being compared with what there is, or up to date."""

import asyncio
import enum


class IndexStatus(enum.Enum):
    """DescribeIndex's words (developer guide, managing-index, Describing a thing index)."""

    ACTIVE = "ACTIVE"
    BUILDING = "BUILDING"
    """There is nothing in it yet: it cannot be asked."""
    REBUILDING = "REBUILDING"
    """It can be asked; not everything in it is as it should be."""


class Building:
    """Follows one index. A round is one comparison; a later one takes the place of an earlier one."""

    def __init__(self) -> None:
        self.round = 0
        self.status = IndexStatus.BUILDING
        self._done = asyncio.Event()

    def begin(self, *, empty: bool) -> None:
        """A round begins."""
        self.round += 1
        self.status = IndexStatus.BUILDING if empty else IndexStatus.REBUILDING
        self._done.clear()

    def end(self, round_: int) -> None:
        """A round is through."""
        if round_ == self.round:
            self.status = IndexStatus.ACTIVE
            self._done.set()

    def stop(self) -> None:
        """The index is switched off."""
        self.round += 1
        self.status = IndexStatus.BUILDING
        self._done.clear()

    async def complete(self) -> None:
        """Return when the index is up to date."""
        await self._done.wait()
