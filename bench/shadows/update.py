"""The update that every client sends, again and again: what a small device reports while something else is desired.

So each of them leaves a difference, and a delta is told with each.
"""

import msgspec

FIRST = b'{"state":{"desired":{"led":"on","interval":30,"thresholds":{"low":10,"high":40}}},"clientToken":"first"}'
"""Before all others."""

_REPORT = (
    b'{"state":{"reported":{"led":"off","interval":60,"sequence":%d,"temperature":%d.5,'
    b'"thresholds":{"low":10,"high":50}}},"clientToken":"%d"}'
)


class Answer(msgspec.Struct):
    """What is looked at of an accepted document or a delta."""

    version: int
    clientToken: str = ""  # noqa: N815 - AWS's word


class Snapshot(msgspec.Struct):
    """Of a documents message's `current`."""

    version: int


class Documents(msgspec.Struct):
    """What is looked at of a documents message."""

    current: Snapshot


def report(sequence: int) -> bytes:
    """The update of that number, which is also its client token."""
    return _REPORT % (sequence, sequence % 40, sequence)
