"""What is wrong with a statement, pointed at: line, column, and the line itself with a caret below."""

from fogbank.errors import FogbankError

_WINDOW = 100
"""Characters of a long line that are shown around the caret."""


class SqlError(FogbankError):
    """A statement that cannot be run, found when it is parsed or compiled, never when a message arrives.

    `line` and `column` count from 1 and point into `text`, the whole statement.
    """

    def __init__(self, message: str, line: int, column: int, text: str) -> None:
        self.message, self.line, self.column, self.text = message, line, column, text
        super().__init__(f"{message} (line {line}, column {column})\n{self._excerpt()}")

    @classmethod
    def at(cls, message: str, text: str, offset: int) -> "SqlError":
        """The error at the character `offset` of `text`."""
        before = text[:offset]
        return cls(message, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, text)

    def _excerpt(self) -> str:
        lines = self.text.split("\n")
        line = "".join(character if character.isprintable() else " " for character in lines[self.line - 1])
        start = max(0, self.column - 1 - _WINDOW // 2) if len(line) > _WINDOW else 0
        return f"  {line[start : start + _WINDOW]}\n  {' ' * (self.column - 1 - start)}^"
