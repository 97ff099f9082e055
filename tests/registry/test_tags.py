import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.conftest import SlowDocuments

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.registry.registry import Registry
from fogbank.registry.tags import Tags, checked_tags, header_tags
from fogbank.storage.memory import MemoryDocuments

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
ARN = "arn:aws:iot:eu-west-1:123456789012:"
HOUSE = f"{ARN}thinggroup/house"


async def test_tags_are_added_changed_listed_and_removed(registry: Registry) -> None:
    tags = registry.tags
    await registry.thing_groups.create("house", tags={"b": "1"})
    assert await tags.list(HOUSE) == {"b": "1"}
    await tags.add(HOUSE, {"a": "2", "b": "3"})
    assert list((await tags.list(HOUSE)).items()) == [("a", "2"), ("b", "3")]
    await tags.remove(HOUSE, ["b", "never there"])
    assert await tags.list(HOUSE) == {"a": "2"}


async def test_they_come_and_go_with_their_resource(registry: Registry, documents: MemoryDocuments) -> None:
    tags = {"k": "v"}
    await registry.thing_groups.create("x", tags=tags)
    await registry.thing_types.create("x", tags=tags)
    await registry.billing_groups.create("x", tags=tags)
    await registry.policies.create("x", POLICY, tags=tags)
    for kind in ("thinggroup", "thingtype", "billinggroup", "policy"):
        assert await registry.tags.list(f"{ARN}{kind}/x") == tags
    await registry.thing_groups.delete("x")
    await registry.billing_groups.delete("x")
    await registry.policies.delete("x")
    assert [one.key for one in await documents.scan("tags")] == ["thingtype/x"]
    await registry.thing_groups.create("x")
    assert await registry.tags.list(f"{ARN}thinggroup/x") == {}


async def test_creating_the_same_once_more_leaves_them(registry: Registry) -> None:
    await registry.thing_groups.create("house", tags={"k": "v"})
    await registry.thing_groups.create("house", tags={"k": "other"})
    assert await registry.tags.list(HOUSE) == {"k": "v"}


@pytest.mark.parametrize(
    ("arn", "refusal"),
    [
        (HOUSE, ResourceNotFound),
        (f"{ARN}thing/house", InvalidRequest),
        (f"{ARN}thinggroup/", InvalidRequest),
        (f"{ARN}thinggroup", InvalidRequest),
        ("arn:aws:iot:us-east-1:123456789012:thinggroup/house", InvalidRequest),
        ("house", InvalidRequest),
        ("", InvalidRequest),
    ],
)
async def test_what_is_not_there_has_none(registry: Registry, arn: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await registry.tags.list(arn)
    with pytest.raises(refusal):
        await registry.tags.add(arn, {"k": "v"})
    with pytest.raises(refusal):
        await registry.tags.remove(arn, ["k"])


async def test_a_resource_has_fifty(registry: Registry) -> None:
    """General reference, Tag basics."""
    await registry.thing_groups.create("house")
    await registry.tags.add(HOUSE, {str(number): "" for number in range(50)})
    await registry.tags.add(HOUSE, {"7": "again"})
    with pytest.raises(LimitExceeded, match="51"):
        await registry.tags.add(HOUSE, {"one more": ""})
    assert len(await registry.tags.list(HOUSE)) == 50


async def test_a_kind_may_be_kept_in_several_places(documents: MemoryDocuments, arns: Arns, registry: Registry) -> None:
    await registry.thing_types.create("b")
    await registry.thing_groups.create("a")
    tags = Tags(documents, arns)
    tags.register("thing", registry.thing_types._records.thing_types.presence)
    tags.register("thing", registry.thing_types._records.thing_groups.presence)
    for name in "ab":
        await tags.add(f"{ARN}thing/{name}", {"k": name})
        assert await tags.list(f"{ARN}thing/{name}") == {"k": name}
    with pytest.raises(ResourceNotFound):
        await tags.list(f"{ARN}thing/c")


async def test_concurrent_changes_are_all_kept(slow_registry: Registry) -> None:
    registry = slow_registry
    await registry.thing_groups.create("house", tags={f"old{number}": "" for number in range(10)})
    adding = (registry.tags.add(HOUSE, {f"new{number}": ""}) for number in range(10))
    removing = (registry.tags.remove(HOUSE, [f"old{number}"]) for number in range(10))
    await asyncio.gather(*adding, *removing)
    assert set(await registry.tags.list(HOUSE)) == {f"new{number}" for number in range(10)}


async def test_of_a_group_that_goes_away_no_tags_stay(slow_documents: SlowDocuments, slow_registry: Registry) -> None:
    registry = slow_registry
    for _ in range(4):
        await registry.thing_groups.create("house", tags={"k": "v"})
        results = await asyncio.gather(
            registry.tags.add(HOUSE, {"a": "1"}),
            registry.thing_groups.delete("house"),
            registry.tags.add(HOUSE, {"b": "1"}),
            return_exceptions=True,
        )
        assert {type(one) for one in results} <= {type(None), ResourceNotFound}
        assert await slow_documents.scan("tags") == []


_keys = st.text(st.sampled_from("aZ9é中_.:/=+-@ "), min_size=1, max_size=128)


@given(tags=st.dictionaries(_keys, st.text(st.sampled_from("aé. @"), max_size=256), max_size=50))
def test_what_requests_may_say(tags: dict[str, str]) -> None:
    reserved = any(key.lower().startswith("aws:") for key in tags)
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    if reserved:
        with pytest.raises(InvalidRequest, match="reserved"):
            checked_tags(given)
    else:
        assert checked_tags(given) == tags


@pytest.mark.parametrize(
    "given",
    [
        [{"Key": "k"}, {"Key": "k", "Value": "v"}],
        [{"Key": ""}],
        [{"Key": "x" * 129}],
        [{"Key": "k", "Value": "v" * 257}],
        [{"Key": "aws:k"}],
        [{"Key": "AWS:k"}],
        [{"Key": "a#b"}],
        [{"Key": "a\nb"}],
        [{"Key": "k", "Value": "a\0b"}],
        [{"Key": str(number)} for number in range(51)],
    ],
)
def test_and_what_not(given: list[dict[str, str]]) -> None:
    """API model, TagKey and TagValue; developer guide, tagging-iot, Tag restrictions and limitations."""
    with pytest.raises(InvalidRequest):
        checked_tags(given)


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        (None, {}),
        ("", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("night%20shift=x%3Dy&empty=", {"night shift": "x=y", "empty": ""}),
    ],
)
def test_tags_in_a_header(header: str | None, tags: dict[str, str]) -> None:
    """API reference, CreateTopicRule, x-amz-tagging."""
    assert checked_tags(header_tags(header)) == tags
