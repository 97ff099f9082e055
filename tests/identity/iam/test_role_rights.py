"""What roles may do when a rule acts in their name."""

import asyncio
from typing import Any

import pytest
from tests.identity.conftest import MakeIam
from tests.identity.iam.conftest import LOCAL, TRUST_ACCOUNT, TRUST_IOT, document, statement, trusting

from fogbank.errors import Forbidden
from fogbank.identity.iam.iam import Iam
from fogbank.ports import Record, RoleRights
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

ROLE = f"{LOCAL}:role/r"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:q"
RULE = "arn:aws:iot:eu-west-1:123456789012:rule/mine"


async def why_not(iam: Iam, **more: Any) -> str:
    rights: RoleRights = iam.role_rights
    try:
        await rights.check(ROLE, "sqs:SendMessage", QUEUE, **more)
    except Forbidden as refused:
        return str(refused)
    return ""


async def test_while_there_is_nobody_but_the_root_roles_are_taken_for_good(iam: Iam) -> None:
    """They stand in templates that were written for AWS; the first role or user ends that, and at once."""
    assert await why_not(iam) == ""
    await iam.users.make("ann")
    assert "there is no such role" in await why_not(iam)
    await iam.users.delete("ann")
    assert await why_not(iam) == ""
    await iam.roles.make("another", TRUST_IOT)
    assert "there is no such role" in await why_not(iam)


async def test_the_role_must_be_there_trust_iot_and_allow_the_action(make_iam: MakeIam) -> None:
    """Each change holds at once, however often was asked before."""
    iam = await make_iam(check_roles=True)
    assert await why_not(iam) == (
        f"Unable to assume role {ROLE}: there is no such role in this account; create it with iam:CreateRole"
    )
    await iam.roles.make("r", TRUST_ACCOUNT)
    refused = f"Unable to assume role {ROLE}: its trust policy does not allow sts:AssumeRole to iot.amazonaws.com"
    assert await why_not(iam) == refused
    await iam.roles.update_trust("r", TRUST_IOT)
    missing = await why_not(iam)
    assert missing.startswith(f"Role {ROLE} is not authorized to perform sqs:SendMessage: no policy is attached")
    await iam.roles.put_inline("r", "send", document(statement(action="sqs:SendMessage", resource=QUEUE + "x")))
    assert "no statement of policy 'send' allows sqs:SendMessage" in await why_not(iam)
    await iam.roles.put_inline("r", "send", document(statement(action="sqs:SendMessage", resource=QUEUE)))
    assert await why_not(iam) == ""
    await iam.policies.create("p", document(statement("Deny", "sqs:*")))
    await iam.roles.attach("r", f"{LOCAL}:policy/p")
    assert "denies sqs:SendMessage" in await why_not(iam)
    await iam.policies.create_version(f"{LOCAL}:policy/p", document(statement("Deny", "s3:*")), default=True)
    assert await why_not(iam) == ""
    await iam.roles.bound("r", f"{LOCAL}:policy/p")
    assert await why_not(iam) != ""


async def test_the_trust_policy_may_ask_for_the_rule(iam: Iam) -> None:
    """Developer guide, cross-service-confused-deputy-prevention."""
    condition = {"ArnEquals": {"aws:SourceArn": RULE}, "StringEquals": {"aws:SourceAccount": "123456789012"}}
    await iam.roles.make("r", trusting({"Service": "iot.amazonaws.com"}, Condition=condition))
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:*")))
    assert "only where ArnEquals aws:SourceArn" in await why_not(iam)
    assert await why_not(iam, source=RULE) == ""
    assert "only where" in await why_not(iam, source=RULE + "s")


async def test_conditions_on_time_follow_the_clock(iam: Iam, clock: FakeClock) -> None:
    until = str(int(clock.time()) + 10)
    await iam.roles.make("r", TRUST_IOT)
    condition = {"NumericLessThan": {"aws:EpochTime": until}}
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:*", Condition=condition)))
    assert await why_not(iam) == ""
    await clock.advance(11)
    assert await why_not(iam) != ""


async def test_a_role_of_another_account_or_path_is_none_of_ours(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_IOT, path="/x/")
    for arn in (ROLE, "arn:aws:iam::210987654321:role/x/r"):
        with pytest.raises(Forbidden, match="no such role"):
            await iam.role_rights.check(arn, "sqs:SendMessage", QUEUE)


async def test_what_was_read_before_a_change_is_not_remembered_after_it(make_iam: MakeIam) -> None:
    class Late(MemoryDocuments):
        """Holds one reader back between what it has read and what it makes of it."""

        def __init__(self) -> None:
            super().__init__()
            self.go_on: asyncio.Event | None = None

        async def get(self, kind: str, key: str) -> Record | None:
            found = await super().get(kind, key)
            if (wait := self.go_on) is not None and kind == "iam-role":
                await wait.wait()
            return found

    documents = Late()
    iam = await make_iam(documents)
    await iam.roles.make("r", TRUST_IOT)
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:*")))
    go_on = documents.go_on = asyncio.Event()
    late = asyncio.create_task(why_not(iam))
    await asyncio.sleep(0)
    documents.go_on = None
    await iam.roles.delete_inline("r", "p")
    assert await why_not(iam) != ""
    go_on.set()
    await late
    assert await why_not(iam) != ""


async def test_what_is_remembered_is_bounded(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_IOT)
    for _ in range(3):
        await why_not(iam)
    assert len(iam.role_rights._known) == 1


async def test_what_was_allowed_is_remembered_for_that_action_and_resource_alone(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_IOT)
    await iam.roles.make("s", TRUST_IOT)
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:SendMessage", resource=QUEUE)))
    for _ in range(2):
        assert await why_not(iam) == ""
        for role, action, resource in (
            (ROLE, "sqs:SendMessage", QUEUE + "x"),
            (ROLE, "sqs:DeleteMessage", QUEUE),
            (f"{LOCAL}:role/s", "sqs:SendMessage", QUEUE),
        ):
            with pytest.raises(Forbidden):
                await iam.role_rights.check(role, action, resource)
    assert len(iam.role_rights._allowed) == 1
    await iam.roles.delete_inline("r", "p")
    assert await why_not(iam) != ""


async def test_what_was_allowed_does_not_depend_on_which_rule_asked_first(iam: Iam) -> None:
    condition = {"ArnEquals": {"aws:SourceArn": RULE}}
    await iam.roles.make("r", trusting({"Service": "iot.amazonaws.com"}, Condition=condition))
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:*")))
    assert await why_not(iam, source=RULE) == ""
    assert await why_not(iam, source=RULE + "s") != ""


async def test_topics_that_devices_choose_do_not_fill_the_memory(iam: Iam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fogbank.identity.iam.role_rights._REMEMBERED_ASKED", 3)
    await iam.roles.make("r", TRUST_IOT)
    await iam.roles.put_inline("r", "p", document(statement(action="sqs:*")))
    for number in range(10):
        await iam.role_rights.check(ROLE, "sqs:SendMessage", f"{QUEUE}{number}")
        assert len(iam.role_rights._allowed) <= 3
