"""Text from outside on a terminal: whoever names a topic must not thereby move the cursor, or rewrite a line."""


def printable(text: str) -> str:
    """`text` in one line, with escapes (`\\n`, `\\x1b`) for all that is not a character one sees."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )
