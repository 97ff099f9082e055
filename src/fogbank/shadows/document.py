"""A shadow as a value, and what happens to it: merge, metadata, delta. Pure.

States are trees as JSON decodes them. They are shared between versions (a merge copies only the objects on the path to
what it changes) and so are never altered in place. Rules: developer guide, device-shadow-document and
device-shadow-data-flow.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

State = dict[str, Any]
"""A JSON object."""

SectionName = Literal["desired", "reported"]
SECTIONS: tuple[SectionName, ...] = ("desired", "reported")

Changes = Mapping[SectionName, State | None]
"""The sections that a request is about: what to merge into each, None to remove it."""


class Section(msgspec.Struct, frozen=True):
    """`desired` or `reported`. The metadata has the shape of the state, with `{"timestamp": t}` for each leaf."""

    state: State = {}
    metadata: State = {}


EMPTY = Section()


class Shadow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One version of a shadow, as it is stored. Times are seconds since the epoch."""

    version: int
    timestamp: int
    """When it became this."""
    desired: Section = EMPTY
    reported: Section = EMPTY
    deleted: bool = False
    """A deleted shadow is kept for a while, so that versions go on where it is made again."""

    @property
    def state(self) -> State:
        """The sections that are not empty, by name."""
        state = {}
        if self.desired.state:
            state["desired"] = self.desired.state
        if self.reported.state:
            state["reported"] = self.reported.state
        return state

    @property
    def metadata(self) -> State:
        """The metadata of the sections that are not empty, by name."""
        metadata = {}
        if self.desired.state:
            metadata["desired"] = self.desired.metadata
        if self.reported.state:
            metadata["reported"] = self.reported.metadata
        return metadata

    @property
    def delta(self) -> State:
        """What is desired and not reported."""
        return delta(self.desired.state, self.reported.state)


def updated(before: Shadow | None, changes: Changes, now: int) -> Shadow:
    """The next version: `changes` merged in. Numbers go on from a deleted shadow; there is nothing else left of it."""
    desired, reported = (EMPTY, EMPTY) if before is None else (before.desired, before.reported)
    if "desired" in changes:
        desired = merge(desired, changes["desired"], now)
    if "reported" in changes:
        reported = merge(reported, changes["reported"], now)
    return Shadow(1 if before is None else before.version + 1, now, desired, reported)


def merge(section: Section, changes: State | None, now: int) -> Section:
    """Merge `changes` in: objects into objects, anything else in place of what was there; null removes.

    What is written gets the timestamp `now`, the same value as before included. Objects without keys are kept, but for
    a section itself, which is not shown then: that is what AWS was seen to do.
    """
    if changes is None:
        return EMPTY
    return Section(*_merge(section.state, section.metadata, changes, {"timestamp": now}))


def _merge(state: State, metadata: State, changes: State, leaf: State) -> tuple[State, State]:
    state, metadata = dict(state), dict(metadata)
    for key, change in changes.items():
        if change is None:
            state.pop(key, None)
            metadata.pop(key, None)
        elif isinstance(change, dict):
            below, stamps = state.get(key), metadata.get(key)
            if not (isinstance(below, dict) and isinstance(stamps, dict)):
                below, stamps = {}, {}
            state[key], metadata[key] = _merge(below, stamps, change, leaf)
        else:
            state[key], metadata[key] = change, stamp(change, leaf)
    return state, metadata


def stamp(value: Any, leaf: State) -> Any:
    """Metadata for a value: its shape, with `leaf` (`{"timestamp": t}`) for each; arrays have one per element."""
    if isinstance(value, dict):
        return {key: stamp(one, leaf) for key, one in value.items()}
    if isinstance(value, list):
        return [stamp(one, leaf) for one in value]
    return leaf


def delta(desired: State, reported: State) -> State:
    """What of `desired` is missing in `reported` or different there, with the path from the root to it.

    What is only reported does not count. Arrays are compared as values, and given whole.
    """
    different = {}
    for key, wanted in desired.items():
        found = reported.get(key)
        if isinstance(wanted, dict) and isinstance(found, dict):
            if inside := delta(wanted, found):
                different[key] = inside
        elif not same(wanted, found):  # null, which stands for a missing key here, is in no state
            different[key] = wanted
    return different


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, but not true, as Python would have it."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def select(metadata: State, tree: State) -> State:
    """The part of `metadata` that belongs to `tree`, a part of the state that `metadata` belongs to."""
    return {
        key: select(metadata[key], value) if isinstance(value, dict) else metadata[key] for key, value in tree.items()
    }
