"""What takes back, in reverse order, the steps of something that failed halfway."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

import click


class Undo:
    """`with Undo() as undo:` a step each time followed by `undo.later(what it made, how to remove it)`."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, Callable[[], object]]] = []

    def later(self, what: str, how: Callable[[], object]) -> None:
        """Call `how` if the block ends with an error."""
        self._steps.append((what, how))

    def forget(self) -> None:
        """All is well: nothing is to be undone any more."""
        self._steps.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            return
        for what, how in reversed(self._steps):
            try:
                how()
            except Exception as failure:  # the error under way matters more, and the other steps must be undone too
                click.echo(f"left behind: {what}, which could not be removed: {failure}", err=True)
