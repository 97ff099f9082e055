"""The models' regular expressions, written for Java, as Python's.

Python's `re` does not know `\\p{...}`, which Java allows inside character classes. A class that holds such a property
becomes a choice of one-character patterns, atomic where Java's class is positive so that a failing match cannot try
the choices over again and take exponential time.
"""

import re

_PROPERTIES = {
    "L": r"(?u:[^\W\d_])",
    "N": r"(?u:\d)",
    "Z": "[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    "C": (
        "[\u0000-\u001f\u007f-\u009f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
        "\ud800-\uf8ff\ufeff\ufff9-\ufffb\U000e0001-\U000e007f\U000f0000-\U0010ffff]"
    ),
    "Cntrl": r"[\x00-\x1f\x7f]",
    "Graph": "[!-~]",
    "Print": "[ -~]",
    "Upper": "[A-Z]",
    "Lower": "[a-z]",
    "Alpha": "[A-Za-z]",
    "Digit": "[0-9]",
    "Alnum": "[A-Za-z0-9]",
    "Space": r"[ \t-\r]",
    "Punct": r"[!-/:-@\[-`{-~]",
}
"""One character of each property. `L` and `N` follow Python's own notion of letters and digits, `C` leaves out the
unassigned code points, which change with every version of Unicode."""

_CLASS = re.compile(r"\[(\^?)((?:\\p\{\w+\}|\\.|[^\]\\])*)\]")
_PROPERTY = re.compile(r"\\p\{(\w+)\}")


def compile_pattern(pattern: str) -> re.Pattern[str] | None:
    """The pattern for `fullmatch`, as AWS applies it, or None where Python cannot express it."""
    try:
        translated = _PROPERTY.sub(_property, _CLASS.sub(_character_class, pattern))
        return re.compile(translated, re.ASCII)  # as Java's \w, \d and \s are
    except (re.error, KeyError):
        return None


def _property(match: re.Match[str]) -> str:
    return _PROPERTIES[match[1]]


def _character_class(match: re.Match[str]) -> str:
    negated, inner = match[1], match[2]
    properties = [_PROPERTIES[name] for name in _PROPERTY.findall(inner)]
    if not properties:
        return match[0]
    rest = _PROPERTY.sub("", inner)
    choices = "|".join([*properties, f"[{rest}]"] if rest else properties)
    return f"(?:(?!{choices})[\\s\\S])" if negated else f"(?>{choices})"
