"""Random entries, whose values are those that random queries ask for."""

from typing import Any

from hypothesis import strategies as st
from tests.search.strategies import NUMBERS, numbers, texts

from fogbank.registry.index.entry import Connectivity, GroupEntry, ThingEntry
from fogbank.search.geography import Order

_names = st.sampled_from(("a", "ab", "abc", "abd", "B", "a-b", "x:y", "75", "true"))
_attributes = st.dictionaries(st.sampled_from(("a", "b.c")), st.sampled_from(("a", "abc", "75", "7.5", "true", "1e3")))
_points = st.one_of(
    st.fixed_dictionaries({"lat": st.floats(-90, 90), "lon": st.floats(-180, 180)}),
    st.tuples(st.floats(-90, 90), st.floats(-180, 180)).map(list),
    st.tuples(st.floats(47, 48), st.floats(-123, -122)).map(lambda point: f"{point[0]:f},{point[1]:f}"),
)
_simple = st.booleans() | texts | numbers
_values: st.SearchStrategy[Any] = st.recursive(
    _simple | st.lists(_simple, max_size=3) | st.just([{"a": 1}, 2]),
    lambda below: st.dictionaries(st.sampled_from(("a", "b", "a.b", "my key", "名")), below, min_size=1, max_size=3),
    max_leaves=5,
)
_trees = st.dictionaries(st.sampled_from(("a", "b", "my key", "名")), _values, max_size=3)


def _stamped(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _stamped(below) for key, below in value.items()}
    return [{"timestamp": 75} for _ in value] if isinstance(value, list) else {"timestamp": 1}


@st.composite
def shadows(draw: st.DrawFn) -> dict[str, Any]:
    state = {"reported": draw(_trees), "desired": draw(_trees)}
    if draw(st.booleans()):
        state["reported"]["gps"] = draw(_points)
    if draw(st.booleans()):
        state["delta"] = draw(_trees)
    metadata = {section: _stamped(state[section]) for section in ("reported", "desired")}
    return {"state": state, "metadata": metadata, "version": draw(st.integers(1, 100))}


_connections = st.builds(
    Connectivity,
    connected=st.booleans(),
    timestamp=st.sampled_from([one for one in NUMBERS if isinstance(one, int)]) | st.none(),
    disconnect_reason=st.sampled_from(("CONNECTION_LOST", "true")) | st.none(),
)
things = st.builds(
    ThingEntry,
    name=_names,
    id=st.uuids().map(str),
    stamp=st.text("abc", max_size=3),
    version=st.integers(1, 100),
    type_name=_names | st.none(),
    group_names=st.lists(_names, unique=True, max_size=3).map(tuple),
    billing_group=_names | st.none(),
    attributes=_attributes,
    shadows=st.dictionaries(st.sampled_from((None, "s1", "s-2")), shadows(), max_size=2),
    connectivity=_connections | st.none(),
    locations=st.just({"shadow.reported.gps": Order.LAT_LON}),
)
groups = st.builds(
    GroupEntry,
    name=_names,
    id=st.uuids().map(str),
    stamp=st.just(""),
    description=texts | st.none(),
    attributes=_attributes,
    parent_names=st.lists(_names, unique=True, max_size=3).map(tuple),
)
