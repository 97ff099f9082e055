"""Where a list goes on: the place after which it does, in base64 so that nobody builds on it.

What is added or removed between two pages then neither repeats nor hides others.
"""

import base64

LONGEST = 1024
"""Characters of a marker; there are no places as long."""


def write(place: str) -> str:
    """The marker of a place."""
    return base64.b64encode(place.encode()).decode()


def read(marker: str) -> str:
    """The place of a marker. Raises ValueError for what was never one."""
    if len(marker) > LONGEST:
        raise ValueError
    return base64.b64decode(marker, validate=True).decode()
