from collections.abc import Awaitable, Callable

import pytest

from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.registry.effective import Verdict
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry
from fogbank.registry.targets import Holder, HolderKind

Enrol = Callable[[], Awaitable[Certificate]]
ARN = "arn:aws:iot:eu-west-1:123456789012:"
IDENTITY = "eu-west-1:8d0b9e1c-1111-4222-8333-444455556666"


def policy(effect: str, action: str, resource: str) -> str:
    statement = f'{{"Effect": "{effect}", "Action": "iot:{action}", "Resource": "{resource}"}}'
    return f'{{"Version": "2012-10-17", "Statement": {statement}}}'


@pytest.fixture
async def lamp(registry: Registry, enrol: Enrol) -> Holder:
    """A certificate attached to the thing lamp, in bath, below house."""
    id_ = (await enrol()).id
    arn = registry.certificates.arn(id_)
    documents = {
        "own": policy("Allow", "Publish", f"{ARN}topic/${{iot:Connection.Thing.ThingName}}/*"),
        "house": policy("Allow", "Connect", "*"),
        "bath": policy("Deny", "Publish", "*/secret"),
        "spare": policy("Allow", "Subscribe", f"{ARN}topicfilter/${{iot:Certificate.Subject.Title}}"),
    }
    for name, document in documents.items():
        await registry.policies.create(name, document)
    for name, parent in (("house", None), ("bath", "house")):
        await registry.thing_groups.create(name, parent=parent)
        await registry.policy_attachments.attach(name, registry.thing_groups.arn(name))
    await registry.policy_attachments.attach("own", arn)
    for name in ("lamp", "fan"):
        await registry.things.create(name)
        await registry.group_members.update(name, join=["bath" if name == "lamp" else "house"])
    await registry.thing_principals.attach("lamp", arn)
    return Holder(HolderKind.CERTIFICATE, id_)


async def effective(registry: Registry, holder: Holder | None, thing: str | None) -> list[str]:
    return [one.name for one in await registry.effective_policies.of(holder, thing)]


async def test_what_is_in_effect(registry: Registry, lamp: Holder) -> None:
    """API reference, GetEffectivePolicies."""
    assert await effective(registry, lamp, None) == ["own"]
    assert await effective(registry, lamp, "lamp") == ["own", "house", "bath"]
    assert await effective(registry, lamp, "fan") == ["own"], "it does not stand for that thing"
    assert await effective(registry, None, "lamp") == ["house", "bath"]
    assert await effective(registry, Holder(HolderKind.GROUP, "bath"), None) == ["house", "bath"]
    await registry.policy_attachments.attach("spare", IDENTITY)
    assert await effective(registry, Holder(HolderKind.IDENTITY, IDENTITY), "lamp") == ["spare"]


async def test_of_whom_must_be_said_and_exist(registry: Registry, lamp: Holder) -> None:
    with pytest.raises(InvalidRequest):
        await effective(registry, None, None)
    for holder, thing in (
        (Holder(HolderKind.CERTIFICATE, "0" * 64), None),
        (Holder(HolderKind.GROUP, "nowhere"), None),
        (lamp, "nothing"),
    ):
        with pytest.raises(ResourceNotFound):
            await effective(registry, holder, thing)
    with pytest.raises(ResourceNotFound):
        await registry.effective_policies.test(Holder(HolderKind.CERTIFICATE, "0" * 64), None, [])
    with pytest.raises(ResourceNotFound):
        await registry.effective_policies.test(lamp, None, [], add=["nowhere"])


async def decide(
    registry: Registry, holder: Holder | None, client_id: str | None, action: str, *resources: str, **options: list[str]
) -> Verdict:
    asked = [(f"iot:{action}", [f"{ARN}{one}" for one in resources])]
    [verdict] = await registry.effective_policies.test(holder, client_id, asked, **options)
    return verdict


async def test_it_decides_as_the_broker_would(registry: Registry, lamp: Holder) -> None:
    verdict = await decide(registry, lamp, "lamp", "Publish", "topic/lamp/x")
    assert (verdict.allowed, verdict.allowing, verdict.denying, verdict.silent, verdict.absent) == (
        True,
        ("own",),
        (),
        ("house", "bath"),
        (),
    )
    verdict = await decide(registry, lamp, "lamp", "Publish", "topic/lamp/secret")
    assert (verdict.allowed, verdict.allowing, verdict.denying) == (False, ("own",), ("bath",))
    verdict = await decide(registry, lamp, "other", "Publish", "topic/lamp/x")
    assert (verdict.allowed, verdict.denying, verdict.silent) == (False, (), ("own",))
    assert verdict.absent == ("iot:Connection.Thing.ThingName",)
    assert "no thing of the client ID's name, 'other'" in verdict.decisions[0].reason


async def test_all_resources_must_be_allowed(registry: Registry, lamp: Holder) -> None:
    assert (await decide(registry, lamp, "lamp", "Publish", "topic/lamp/x", "topic/lamp/y")).allowed
    verdict = await decide(registry, lamp, "lamp", "Publish", "topic/lamp/x", "topic/other")
    assert (verdict.allowed, verdict.allowing, verdict.denying) == (False, ("own",), ())


async def test_a_policy_that_denies_some_of_it_is_not_one_that_allows_it(registry: Registry, lamp: Holder) -> None:
    await registry.policies.create(
        "mixed",
        '{"Version": "2012-10-17", "Statement": ['
        '{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "*", "Resource": "*b"}]}',
    )
    verdict = await decide(registry, lamp, "lamp", "Publish", "topic/lamp/a", "topic/lamp/b", add=["mixed"])
    assert (verdict.allowed, verdict.allowing, verdict.denying) == (False, ("own",), ("mixed",))


async def test_policies_can_be_tried_on_and_taken_off(registry: Registry, lamp: Holder) -> None:
    assert not (await decide(registry, lamp, "lamp", "Subscribe", "topicfilter/a")).allowed
    tried = await decide(registry, lamp, "lamp", "Subscribe", "topicfilter/a", add=["spare", "own"])
    assert (tried.allowed, tried.absent) == (False, ("iot:Certificate.Subject.Title",))
    assert (await decide(registry, lamp, "lamp", "Publish", "topic/lamp/secret", skip=["bath"])).allowed
    assert not (await decide(registry, lamp, "lamp", "Connect", "client/lamp", skip=["house"])).allowed
    assert (await decide(registry, None, None, "Connect", "client/x", add=["house"])).allowed
    assert (await decide(registry, Holder(HolderKind.GROUP, "bath"), None, "Connect", "client/x")).allowed
