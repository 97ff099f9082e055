"""The input file of a bulk registration: parameters in JSON, a line for each device (developer guide,
bulk-provisioning).

A file may be larger than memory should be, so it is cut into parts at the ends of lines, and each is kept as a blob:
what is fetched once is what the task works on, whatever becomes of the original.
"""

from collections.abc import Iterator

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.registry.provisioning.tasks import Part

PART = 1024 * 1024
"""Bytes of a part, up to the end of the line."""
LINES = 5000
"""Lines of a part: the receipts for them are in memory together."""
MOST_PARTS = 1000
LONGEST_LINE = 256 * 1024
"""Bytes (general reference, IoT Core bulk thing registration limits)."""
LARGEST = 256 * 1024 * 1024
"""Bytes of a file."""


class Line(msgspec.Struct, frozen=True):
    """A line of the file."""

    number: int
    offset: int
    text: bytes

    def parameters(self) -> dict[str, str]:
        """Raises InvalidRequest."""
        try:
            return msgspec.json.decode(self.text, type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidRequest(
                f"The line is not a JSON object of parameters with strings as values: {error}"
            ) from None


class Cutter:
    """Cuts a file that comes in pieces of any size."""

    def __init__(self, first: int = 1, offset: int = 0, parts: int = 0) -> None:
        """`first` and `offset` are of the line that the pieces begin with, after so many parts."""
        self._line = first
        self._offset = offset
        self._parts = parts
        self._rest = b""

    @property
    def position(self) -> int:
        """Where the next piece is to begin, in bytes of the file."""
        return self._offset + len(self._rest)

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, Part]]:
        """Whole parts, each with its place; the digest is left to who stores it. Raises InvalidRequest."""
        self._rest += piece
        while len(self._rest) > PART + LONGEST_LINE:  # so that the line which reaches beyond PART is whole, or too long
            yield self._cut()

    def end(self) -> Iterator[tuple[bytes, Part]]:
        """What is left at the end of the file."""
        while self._rest:
            yield self._cut()

    def _cut(self) -> tuple[bytes, Part]:
        end = self._rest.find(b"\n", PART) + 1 or len(self._rest)
        texts = self._rest[:end].split(b"\n", LINES)
        if len(texts) > LINES:
            end -= len(texts.pop())
            texts.append(b"")  # the last of them ends with the part
        part = Part("", self._line, self._offset, end)
        for number, text in enumerate(texts, start=self._line):
            if len(text) > LONGEST_LINE:
                raise InvalidRequest(f"Line {number} of the input file is longer than {LONGEST_LINE} bytes")
            self._line = number
        content, self._rest = self._rest[:end], self._rest[end:]
        self._offset += end
        self._parts += 1
        if self._offset > LARGEST or self._parts > MOST_PARTS:
            raise InvalidRequest("The input file is too large for one task: register its things in several")
        return content, part


def lines_of(content: bytes, part: Part) -> Iterator[Line]:
    """The lines of a part that say anything."""
    offset = part.offset
    for number, text in enumerate(content.split(b"\n"), start=part.first):
        if text.strip():
            yield Line(number, offset, text)
        offset += len(text) + 1
