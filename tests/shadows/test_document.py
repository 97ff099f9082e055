from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fogbank.shadows.document import EMPTY, Section, Shadow, State, delta, merge, same, select, stamp, updated

Json = Any

# Few keys and values, so that the trees meet one another; True and 1.0 since Python takes them for 1.
leaves = st.sampled_from([0, 1, 2, True, False, 1.0, "", "on", "off"])
elements = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from(["a", "b", "c"])


def objects(leaf: st.SearchStrategy[Json], *, min_size: int = 0) -> st.SearchStrategy[State]:
    values = st.recursive(leaf, lambda inner: st.dictionaries(keys, inner, min_size=min_size, max_size=3), max_leaves=6)
    return st.dictionaries(keys, values, max_size=3)


values = leaves | st.lists(elements, max_size=3)
states = objects(values, min_size=1)
"""States as they are kept, without null; here also without empty objects, of which `paths` shows nothing."""
patches = objects(values | st.none())
"""Requests: null removes, empty objects may occur."""


def section(state: State, now: int = 1) -> Section:
    return merge(EMPTY, state, now)


# --- naive models: what the rules say, with nothing shared and nothing clever ---


def paths(tree: State, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Json]:
    """Every leaf by the path to it; an object is no leaf, an array is."""
    found: dict[tuple[str, ...], Json] = {}
    for key, value in tree.items():
        found.update(paths(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value})
    return found


def naive_merge(state: dict[tuple[str, ...], Json], patch: State, path: tuple[str, ...] = ()) -> None:
    """Over leaves by path: an object removes a leaf at its place, anything else removes all below its place."""
    for key, value in patch.items():
        at = (*path, key)
        if isinstance(value, dict):
            state.pop(at, None)
            naive_merge(state, value, at)
        else:
            for other in [other for other in state if other[: len(at)] == at]:
                del state[other]
            if value is not None:
                state[at] = value


def strict(value: Json) -> Json:
    """A form in which Python's equality tells true from 1."""
    if isinstance(value, dict):
        return {key: strict(one) for key, one in value.items()}
    if isinstance(value, list):
        return [strict(one) for one in value]
    return (isinstance(value, bool), value)


class TestMerge:
    @given(states, patches)
    def test_agrees_with_the_naive_model(self, state: State, patch: State) -> None:
        expected = paths(state)
        naive_merge(expected, patch)
        assert strict(paths(merge(section(state), patch, 2).state)) == strict(expected)

    @given(states, patches)
    def test_twice_is_once(self, state: State, patch: State) -> None:
        once = merge(section(state), patch, 2)
        assert merge(once, patch, 2) == once

    @given(states, patches)
    def test_leaves_what_it_was_given_alone(self, state: State, patch: State) -> None:
        before = section(state)
        kept, kept_patch = strict(before.state), strict(patch)
        stamps = str(before.metadata)
        merge(before, patch, 2)
        assert (strict(before.state), strict(patch), str(before.metadata)) == (kept, kept_patch, stamps)

    @given(states, patches)
    def test_keeps_no_null(self, state: State, patch: State) -> None:
        def whole(node: State) -> bool:
            return all(v is not None and (not isinstance(v, dict) or whole(v)) for v in node.values())

        assert whole(merge(section(state), patch, 2).state)

    @given(states)
    def test_null_removes_the_section(self, state: State) -> None:
        assert merge(section(state), None, 2) == EMPTY

    def test_arrays_are_replaced_whole(self) -> None:
        assert merge(section({"a": [1, 2, 3]}), {"a": [4]}, 2).state == {"a": [4]}

    def test_objects_and_leaves_replace_each_other(self) -> None:
        assert merge(section({"a": {"b": 1}}), {"a": 1}, 2).state == {"a": 1}
        assert merge(section({"a": 1}), {"a": {"b": 1, "c": None}}, 2).state == {"a": {"b": 1}}
        assert merge(section({"a": [1]}), {"a": {"b": 1}}, 2).state == {"a": {"b": 1}}

    def test_an_object_without_keys_is_kept(self) -> None:
        """moto, tests/test_iotdata: test_update_desired, run against AWS; of a last key removed it is UNVERIFIED."""
        merged = merge(section({"a": 1, "b": {"c": 3}}), {"b": {"c": {}}, "d": {}}, 2)
        assert merged == Section({"a": 1, "b": {"c": {}}, "d": {}}, {"a": {"timestamp": 1}, "b": {"c": {}}, "d": {}})
        assert delta(merged.state, {}) == merged.state
        assert merge(section({"a": {"b": 1}, "c": 1}), {"a": {"b": None}}, 2).state == {"a": {}, "c": 1}
        assert merge(section({"a": {"b": 1}}), {"a": {}}, 2).state == {"a": {"b": 1}}


class TestMetadata:
    @given(states, patches)
    def test_mirrors_the_state(self, state: State, patch: State) -> None:
        merged = merge(section(state), patch, 2)

        def mirrors(value: Json, stamps: Json) -> bool:
            if isinstance(value, dict):
                return value.keys() == stamps.keys() and all(mirrors(value[key], stamps[key]) for key in value)
            if isinstance(value, list):
                return len(value) == len(stamps) and all(map(mirrors, value, stamps))
            return bool(stamps in ({"timestamp": 1}, {"timestamp": 2}))

        assert mirrors(merged.state, merged.metadata)

    @given(states, patches)
    def test_is_new_exactly_where_the_patch_wrote(self, state: State, patch: State) -> None:
        merged = merge(section(state, 1), patch, 2)
        written = {path for path, value in paths(patch).items() if value is not None}
        for path, value in paths(merged.state).items():
            stamps: Json = merged.metadata
            for key in path:
                stamps = stamps[key]
            assert stamps == stamp(value, {"timestamp": 2 if path in written else 1})

    def test_of_an_array_is_one_per_element(self) -> None:
        """Developer guide, device-shadow-document: the ColorRGB example."""
        assert stamp([128, {"r": 1}, [2]], {"timestamp": 7}) == [
            {"timestamp": 7},
            {"r": {"timestamp": 7}},
            [{"timestamp": 7}],
        ]

    def test_of_a_member_called_timestamp(self) -> None:
        before = section({"timestamp": 5, "a": {"timestamp": 5}})
        merged = merge(before, {"a": {"b": 1}}, 2)
        assert merged.metadata == {
            "timestamp": {"timestamp": 1},
            "a": {"timestamp": {"timestamp": 1}, "b": {"timestamp": 2}},
        }


class TestDelta:
    @given(states, states)
    def test_agrees_with_the_naive_model(self, desired: State, reported: State) -> None:
        def different(path: tuple[str, ...], value: Json) -> bool:
            node: Json = reported
            for key in path:
                if not isinstance(node, dict) or key not in node:
                    return True
                node = node[key]
            return bool(strict(node) != strict(value))

        expected = {path: value for path, value in paths(desired).items() if different(path, value)}
        assert strict(paths(delta(desired, reported))) == strict(expected)

    @given(states)
    def test_of_the_same_is_empty(self, state: State) -> None:
        assert delta(state, state) == {}

    @given(states, states)
    def test_is_gone_when_it_was_reported(self, desired: State, reported: State) -> None:
        assert delta(desired, merge(section(reported), delta(desired, reported), 2).state) == {}
        assert delta(desired, merge(section(reported), desired, 2).state) == {}

    @given(states)
    def test_against_nothing_is_everything(self, desired: State) -> None:
        assert strict(delta(desired, {})) == strict(desired)
        assert delta({}, desired) == {}

    @given(states, states)
    def test_its_metadata_is_that_of_desired(self, desired: State, reported: State) -> None:
        different = delta(desired, reported)
        assert select(section(desired, 3).metadata, different) == stamp(different, {"timestamp": 3})

    def test_examples(self) -> None:
        """Developer guide, device-shadow-data-flow and device-shadow-document."""
        assert delta({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "x": 1}) == {"a": {"c": 2}}
        assert delta({"a": [1, 2]}, {"a": [1, 3]}) == {"a": [1, 2]}
        assert delta({"a": {"b": 1}}, {"a": 5}) == {"a": {"b": 1}}
        assert delta({"a": 5}, {"a": {"b": 1}}) == {"a": 5}


@given(elements, elements)
def test_same_tells_true_from_one(one: Json, other: Json) -> None:
    assert same(one, other) is (strict(one) == strict(other))


def test_same_by_example() -> None:
    assert same([1, {"a": 1}], [1.0, {"a": 1}])
    assert not same(1, True)
    assert not same(0, False)
    assert not same([{"a": [1]}], [{"a": [True]}])
    assert not same({"a": 1}, {"a": 1, "b": 1})
    assert not same([1], [1, 1])
    assert not same("1", 1)
    assert delta({"on": True}, {"on": 1}) == {"on": True}


class TestUpdated:
    def test_sections_are_independent(self) -> None:
        first = updated(None, {"desired": {"a": 1}}, 1)
        second = updated(first, {"reported": {"a": 1}}, 2)
        third = updated(second, {"desired": None}, 3)
        assert (first.version, second.version, third.version) == (1, 2, 3)
        assert second.state == {"desired": {"a": 1}, "reported": {"a": 1}}
        assert second.metadata == {"desired": {"a": {"timestamp": 1}}, "reported": {"a": {"timestamp": 2}}}
        assert (third.state, third.timestamp) == ({"reported": {"a": 1}}, 3)

    def test_no_sections_is_a_new_version_of_the_same(self) -> None:
        first = updated(None, {"desired": {"a": 1}}, 1)
        assert updated(first, {}, 2) == Shadow(2, 2, first.desired)

    def test_numbers_go_on_after_a_delete(self) -> None:
        assert updated(Shadow(7, 1, deleted=True), {"reported": {"a": 1}}, 2).version == 8
        assert not updated(Shadow(7, 1, deleted=True), {}, 2).deleted
