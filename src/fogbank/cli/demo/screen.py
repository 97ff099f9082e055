"""How the demo looks: who does what, a line each; what was checked bears a mark.

Readable without colour and without a terminal: colour repeats what words say already.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from fogbank.cli.demo.inbox import NotSeen
from fogbank.cli.demo.trace import Traced

COLOURS = {
    "platform": "magenta",
    "app": "blue",
    "lamp": "cyan",
    "factory": "green",
    "function": "yellow",
    "intruder": "red",
}
ACTOR = 11
"""Columns of the name of who acts; then come the mark and the text."""
WIDEST = 100
"""Columns that text fills at most, however wide the terminal."""
LONG_WORD = 40
"""Characters from which a word, as ARNs are, may be broken after a `/`."""


class Screen:
    """Prints the story."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        unicode = self._console.encoding.lower().startswith("utf")
        self._yes, self._no = ("✓", "✗") if unicode else ("+", "!")

    def section(self, title: str, prose: str) -> None:
        """A head: what is going to be seen, and why it matters."""
        self._console.print(Text(f"\n{title}", "bold"))
        self._print(prose, 2, "")
        self._console.print()

    def does(self, actor: str, text: str) -> None:
        """Someone acts."""
        self._line(actor, " ", "", text)

    def saw(self, actor: str, text: str) -> None:
        """Something came true, and was checked."""
        self._line(actor, self._yes, "bold green", text)

    def quote(self, text: str, style: str = "") -> None:
        """The words of the platform, under the step that they belong to."""
        self._print(text, ACTOR + 6, style)

    def document(self, members: dict[str, Any], new: Iterable[str] = ()) -> None:
        """A flat JSON document, a member per line; `new` ones bear a `+`."""
        width = max(map(len, members)) + 3
        for name, value in members.items():
            mark, style = ("+", "green") if name in new else (" ", "")
            label = f'"{name}":'
            self.quote(f"{mark} {label:{width}} {json.dumps(value)}", style)

    def traced(self, event: Traced) -> None:
        """One line of the trace stream, and what a function printed."""
        good = event.status == "success"
        self._line(event.kind, self._yes if good else self._no, "green" if good else "red", event.about)
        for line in event.printed:
            self.quote(line)

    def failed(self, error: Exception, log: list[str]) -> None:
        """A step did not come true."""
        if isinstance(error, NotSeen):
            expected, seen = error.expected, error.seen
        else:
            expected, seen = "the step to succeed", f"{type(error).__name__}: {error}"
        self._line("demo", self._no, "bold red", f"expected: {expected}")
        self._line("", " ", "", f"seen:     {seen}")
        for line in log:
            self._line("", " ", "", f"platform's log: {line}")

    def end(self, text: str) -> None:
        """The last words."""
        self._console.print()
        self._print(text, 2, "bold")

    def say(self, text: str) -> None:
        """Words as they are, to be copied."""
        self._console.print(Text(text))

    def _line(self, actor: str, mark: str, mark_style: str, text: str) -> None:
        head = Text.assemble((f"  {actor:{ACTOR}}", COLOURS.get(actor, "")), (f"{mark} ", mark_style))
        first, *rest = wrapped(text, self._width - len(head))
        self._console.print(head + Text(first))
        for line in rest:
            self._console.print(Text(" " * len(head) + line))

    def _print(self, text: str, indent: int, style: str) -> None:
        for line in wrapped(text, self._width - indent):
            self._console.print(Text(" " * indent + line, style))

    @property
    def _width(self) -> int:
        return min(self._console.width, WIDEST)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width`, broken at blanks, long words after a `/`; what cannot be broken stays whole."""
    lines = [""]
    for word in re.findall(r" *[^ ]+", text):
        for piece in re.split(r"(?<=/)", word) if len(word) > LONG_WORD else [word]:
            if lines[-1] and len(lines[-1]) + len(piece) > width:
                lines.append(piece.lstrip())
            else:
                lines[-1] += piece
    return lines
