"""What a group of batches does to one owner's backlog.

A message that is handed over at once is kept and discarded within one group: it costs a dictionary entry, and never
touches the disk.
"""

from collections.abc import Iterable, Sequence

from fogbank.ports import Discard, DiscardAll, Keep

Range = tuple[int, int]
"""The first and the last of consecutive numbers."""


class BacklogChange:
    """The net effect on one owner's backlog: what is stored goes first, as `emptied` and `discarded` say."""

    __slots__ = ("discarded", "emptied", "kept")

    def __init__(self) -> None:
        self.emptied = False
        """Whether all that is stored is to be removed."""
        self.discarded: list[int] = []
        """Numbers to be removed, if they are stored; in the order they came in, as often as they did."""
        self.kept: dict[int, Keep] = {}
        """What is new, or replaces what is stored, by number."""

    def apply(self, change: Keep | Discard | DiscardAll) -> None:
        """Add a change to the effect of those before it."""
        if isinstance(change, Keep):
            self.kept[change.number] = change
        elif isinstance(change, Discard):
            self._discard(change.numbers)
        else:
            self.emptied = True
            self.discarded.clear()
            self.kept.clear()

    def _discard(self, numbers: Sequence[int]) -> None:
        if self.kept:
            for number in numbers:
                self.kept.pop(number, None)
        if not self.emptied:
            self.discarded.extend(numbers)  # also those just kept: they may replace what is stored


def ranges(numbers: Iterable[int]) -> list[Range]:
    """The numbers as ranges, in order: a session mostly acknowledges what it was sent one after the other."""
    found: list[Range] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
