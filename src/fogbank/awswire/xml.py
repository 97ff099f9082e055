"""XML as AWS's older services answer with: elements and text, and nothing else."""

import re
from xml.sax.saxutils import escape, quoteattr

_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 has no way to write, not even escaped (2.2)."""


def text(value: str) -> str:
    """Text between tags. What XML cannot say becomes the replacement character; a line break stays one, as XML's own
    rules would turn a carriage return into a line feed."""
    return escape(_UNSPEAKABLE.sub("\ufffd", value), {"\r": "&#13;"})


def element(name: str, inner: str) -> str:
    """An element around what is XML already."""
    return f"<{name}>{inner}</{name}>"


def document(name: str, namespace: str, inner: str) -> str:
    """The root element."""
    declared = f" xmlns={quoteattr(namespace)}" if namespace else ""
    return f"<{name}{declared}>{inner}</{name}>\n"
