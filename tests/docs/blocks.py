"""The fenced blocks of a Markdown document, and which of them are examples to be run.

    ```console test          lines that begin with `$ ` are run by bash; what follows is what they print
    ```console test fails    likewise; the last command must fail
    ```python test           a program of its own
    ```text output           what the program before it prints
    ```json file=NAME        written to the file NAME, as are blocks of other languages

In what is printed, `...` stands for anything. All blocks of a document share a directory and a server.
"""

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
_FENCE = re.compile(r"^```(?P<language>[\w-]+)?[ ]*(?P<mark>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(msgspec.Struct, frozen=True):
    """A fenced block: its language, what stands behind that, its content, and its first line's number."""

    language: str
    mark: str
    text: str
    line: int


def blocks(document: str) -> list[Block]:
    """All fenced blocks, in order."""
    return [
        Block(
            found["language"] or "",
            found["mark"].strip(),
            found["text"],
            document.count("\n", 0, found.start("text")) + 1,
        )
        for found in _FENCE.finditer(document)
    ]


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with what it is said to print. A line that ends in `\\` goes on."""
    found: list[tuple[str, str]] = []
    continues = False
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif continues:
            found[-1] = (found[-1][0] + line, "")
        else:
            command, output = found[-1]
            found[-1] = (command, output + line)
        continues = not found[-1][1] and found[-1][0].endswith("\\\n")
    return found


def prints(expected: str, actual: str) -> bool:
    """Whether `actual` is what `expected` says, `...` standing for anything."""
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return re.fullmatch(pattern, actual.strip(), re.DOTALL) is not None
