from hypothesis import given
from hypothesis import strategies as st

from fogbank.registry.creation_order import CreationOrder
from fogbank.storage.memory import MemoryDocuments

_moments = st.integers(0, 10**10).map(lambda hundredths: hundredths / 100)


@given(st.dictionaries(st.text("ab-_", min_size=1, max_size=3), _moments, max_size=12), st.booleans())
async def test_names_are_read_by_creation_either_way(created: dict[str, float], ascending: bool) -> None:
    documents = MemoryDocuments()
    order = CreationOrder(documents, "policy")
    for name, moment in created.items():
        await documents.commit(*order.entering(name, moment))
    listed = [one.value.name for one in await order.read("", 100, ascending=ascending)]
    assert sorted(listed) == sorted(created)
    moments = [created[name] for name in listed]
    assert moments == sorted(moments, reverse=not ascending)


async def test_what_leaves_is_in_neither_order() -> None:
    documents = MemoryDocuments()
    order = CreationOrder(documents, "policy")
    await documents.commit(*order.entering("a", 1.5), *order.entering("b", 1.5))
    await documents.commit(*order.leaving("a", 1.5))
    for ascending in (True, False):
        assert [one.value.name for one in await order.read("", 10, ascending=ascending)] == ["b"]
