import json

import pytest

from fogbank.errors import DeleteConflict, InvalidRequest, ResourceAlreadyExists, ResourceNotFound
from fogbank.registry.errors import MalformedPolicy, VersionsLimitExceeded
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing.clock import FakeClock


def document(action: str = "iot:Connect", *, padding: str = "", blanks: int = 0) -> str:
    statement = {"Sid": f"x{padding}", "Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}) + " " * blanks


def document_of_size(size: int) -> str:
    """One with `size` characters that are not blank."""
    return document(padding="x" * (size - len("".join(document().split()))))


async def test_a_policy_is_as_it_was_made(registry: Registry, clock: FakeClock) -> None:
    made = await registry.policies.create("all", document())
    assert await registry.policies.describe("all") == made
    assert (made.default, list(made.versions), made.document) == (1, [1], document())
    assert (made.created, made.modified) == (clock.time(), clock.time())
    assert registry.policies.arn("all") == "arn:aws:iot:eu-west-1:123456789012:policy/all"


async def test_a_name_is_taken_once(registry: Registry) -> None:
    await registry.policies.create("all", document())
    with pytest.raises(ResourceAlreadyExists, match=r"Policy cannot be created - name already exists \(name=all\)"):
        await registry.policies.create("all", document())


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 129])
async def test_bad_names_are_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidRequest, match="'policyName'"):
        await registry.policies.create(name, document())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Version": "2012-10-17"}',
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "iot:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*", "Principal": "*"}]}',
        "[" * 100_000,
        " " * 404_601,
    ],
    ids=["empty", "not JSON", "list", "no statement", "no statement 2", "effect", "principal", "deep", "long"],
)
async def test_what_is_no_policy_is_refused(registry: Registry, text: str) -> None:
    with pytest.raises(MalformedPolicy):
        await registry.policies.create("all", text)
    with pytest.raises(ResourceNotFound):
        await registry.policies.describe("all")


async def test_the_size_counts_without_white_space(registry: Registry) -> None:
    """General reference: 2048 characters, white space aside."""
    assert len("".join(document_of_size(2048).split())) == 2048
    await registry.policies.create("all", document_of_size(2048) + " " * 5000)
    with pytest.raises(MalformedPolicy, match="2049 characters"):
        await registry.policies.create("more", document_of_size(2049))


async def test_versions_are_numbered_and_one_is_in_effect(registry: Registry, clock: FakeClock) -> None:
    await registry.policies.create("all", document("iot:A"))
    await clock.advance(1)
    assert await registry.policies.create_version("all", document("iot:B"), default=False) == 2
    assert (await registry.policies.describe("all")).document == document("iot:A")
    assert await registry.policies.create_version("all", document("iot:C"), default=True) == 3
    policy = await registry.policies.describe("all")
    assert (policy.document, policy.default, policy.modified) == (document("iot:C"), 3, clock.time())
    await registry.policies.set_default("all", "2")
    assert (await registry.policies.describe("all")).document == document("iot:B")


async def test_a_number_is_never_used_again(registry: Registry) -> None:
    await registry.policies.create("all", document())
    assert await registry.policies.create_version("all", document(), default=False) == 2
    await registry.policies.delete_version("all", "2")
    assert await registry.policies.create_version("all", document(), default=False) == 3


async def test_five_versions_are_the_most(registry: Registry) -> None:
    await registry.policies.create("all", document())
    for _ in range(4):
        await registry.policies.create_version("all", document(), default=True)
    with pytest.raises(VersionsLimitExceeded, match=r"The policy all already has the maximum number of versions \(5\)"):
        await registry.policies.create_version("all", document(), default=True)
    await registry.policies.delete_version("all", "1")
    assert await registry.policies.create_version("all", document(), default=True) == 6


async def test_the_default_version_stays(registry: Registry) -> None:
    await registry.policies.create("all", document())
    with pytest.raises(InvalidRequest, match="Cannot delete the default version of a policy"):
        await registry.policies.delete_version("all", "1")


@pytest.mark.parametrize("version", ["2", "0", "999999999999999999"])
async def test_unknown_versions_are_not_found(registry: Registry, version: str) -> None:
    await registry.policies.create("all", document())
    for call in (registry.policies.version, registry.policies.set_default, registry.policies.delete_version):
        with pytest.raises(ResourceNotFound):
            await call("all", version)


@pytest.mark.parametrize("version", ["", "one", "1.0", "-1", "١", "9" * 5000])
async def test_bad_versions_are_refused(registry: Registry, version: str) -> None:
    await registry.policies.create("all", document())
    with pytest.raises(InvalidRequest, match="'policyVersionId'"):
        await registry.policies.version("all", version)


async def test_deletion_wants_one_version(registry: Registry) -> None:
    await registry.policies.create("all", document())
    await registry.policies.create_version("all", document(), default=False)
    with pytest.raises(DeleteConflict, match="one or more policy versions attached"):
        await registry.policies.delete("all")
    await registry.policies.delete_version("all", "2")
    await registry.policies.delete("all")
    assert (await registry.policies.page(Paging())).items == []


async def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    for call in (
        registry.policies.describe("all"),
        registry.policies.delete("all"),
        registry.policies.create_version("all", document(), default=True),
        registry.policies.version("all", "1"),
    ):
        with pytest.raises(ResourceNotFound, match="Policy not found"):
            await call


@pytest.mark.parametrize("ascending", [True, False])
async def test_policies_are_listed_by_creation(registry: Registry, clock: FakeClock, ascending: bool) -> None:
    for name in ("b", "c", "a"):
        await registry.policies.create(name, document())
        await clock.advance(1)
    first = await registry.policies.page(Paging(size=2), ascending=ascending)
    second = await registry.policies.page(Paging(first.next, 2), ascending=ascending)
    names = [one.name for one in first.items + second.items]
    assert names == (["b", "c", "a"] if ascending else ["a", "c", "b"])
