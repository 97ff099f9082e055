"""Sessions: who gets one, what it may do, and when it ends."""

import base64

import msgspec
import pytest
from tests.identity.conftest import ARNS, KEY, MakeIam
from tests.identity.iam.conftest import ACCOUNT, LOCAL, LOGGING, TRUST_ACCOUNT, document, statement, trusting

from fogbank.awswire.errors import ExpiredToken, UnrecognizedClient
from fogbank.identity.access_keys import Status
from fogbank.identity.iam.errors import AccessDenied, MalformedPolicyDocument, PackedPolicyTooLarge, ValidationError
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.rights import Rights
from fogbank.identity.iam.sts import Opened, Wish
from fogbank.identity.signer import Signer
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

ROLE = f"{LOCAL}:role/r"
WISH = Wish(role_arn=ROLE, name="worker")
TOPIC = ARNS.iot("topic", "a")


async def signer_of(iam: Iam, opened: Opened) -> Signer:
    return await iam.signers.find(opened.session.key_id, opened.token)


async def user(iam: Iam, *policies: str) -> Signer:
    await iam.users.make("bob")
    for number, policy in enumerate(policies):
        await iam.users.put_inline("bob", f"p{number}", policy)
    key = await iam.users.create_key("bob")
    return await iam.signers.find(key.id, None)


async def may(signer: Signer, action: str = "iot:Publish", resource: str = TOPIC) -> bool:
    rights = await Rights.of(signer.identity, signer.principals)
    return rights.why_not(action, resource) is None


async def test_a_session_of_a_role_has_its_rights(iam: Iam, clock: FakeClock) -> None:
    role = await iam.roles.make("r", TRUST_ACCOUNT, tags={"team": "x"})
    opened = await iam.sts.assume_role(None, None, WISH)
    signer = await signer_of(iam, opened)
    assert signer.key.secret == opened.session.secret
    assert opened.session.key_id.startswith("ASIA")
    assert signer.identity.id == opened.id == f"{role.id}:worker"
    assert signer.identity.arn == opened.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/worker"
    assert signer.expires == clock.time() + 3600
    assert not signer.root
    assert signer.identity.attributes["aws:PrincipalArn"] == ROLE
    assert signer.identity.attributes["aws:PrincipalTag/team"] == "x"
    assert not await may(signer)
    await iam.roles.put_inline("r", "p", document())
    assert await may(signer)
    await iam.roles.put_inline("r", "q", document(statement("Deny", resource=TOPIC)))
    assert not await may(signer)


async def test_it_outlives_a_restart_and_no_other_instance_takes_it(
    iam: Iam, make_iam: MakeIam, clock: FakeClock
) -> None:
    await iam.roles.make("r", TRUST_ACCOUNT)
    opened = await iam.sts.assume_role(None, None, WISH)
    assert await signer_of(await make_iam(), opened)
    with pytest.raises(UnrecognizedClient):
        await signer_of(await make_iam(MemoryDocuments()), opened)


async def test_a_token_that_was_touched_is_none(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_ACCOUNT)
    opened = await iam.sts.assume_role(None, None, WISH)
    raw = bytearray(base64.b64decode(opened.token))
    others = ["", "x", "=" * 7, "A" * 100_000, "täg", opened.token[:-4], opened.token + "AAAA"]
    for position in (0, 12, len(raw) // 2, len(raw) - 1):
        touched = bytes(raw[:position]) + bytes([raw[position] ^ 1]) + bytes(raw[position + 1 :])
        others.append(base64.b64encode(touched).decode())
    for token in others:
        with pytest.raises(UnrecognizedClient):
            await iam.signers.find(opened.session.key_id, token)
    for key_id in (KEY.id, "ASIAOTHER", "", "ß"):
        with pytest.raises(UnrecognizedClient):
            await iam.signers.find(key_id, opened.token)
    with pytest.raises(UnrecognizedClient):
        await iam.signers.find(opened.session.key_id, None)
    assert opened.session.secret not in repr(opened.session)


async def test_it_ends_with_its_time_and_with_its_role(iam: Iam, clock: FakeClock) -> None:
    await iam.roles.make("r", TRUST_ACCOUNT)
    await iam.roles.put_inline("r", "p", document())
    opened = await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, duration=900))
    signer = await signer_of(iam, opened)
    assert (await signer.principals.grant(signer.identity, None)).policies
    await clock.advance(899)
    assert (await signer.principals.recheck(signer.identity)).active
    await clock.advance(1)
    with pytest.raises(ExpiredToken):
        await signer_of(iam, opened)
    identity = await signer.principals.recheck(signer.identity)
    assert (identity.active, identity.reason) == (False, "the session has expired")
    assert not (await signer.principals.grant(identity, None)).policies

    opened = await iam.sts.assume_role(None, None, WISH)
    signer = await signer_of(iam, opened)
    await iam.roles.delete_inline("r", "p")
    await iam.roles.delete("r")
    await iam.roles.make("r", TRUST_ACCOUNT)
    await iam.roles.put_inline("r", "p", document())  # another of the same name is another
    with pytest.raises(UnrecognizedClient):
        await signer_of(iam, opened)
    assert not (await signer.principals.recheck(signer.identity)).active
    assert not (await signer.principals.grant(signer.identity, None)).policies


async def test_a_session_policy_bounds_and_never_gives(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_ACCOUNT)
    await iam.roles.put_inline("r", "p", document(statement(action="iot:Publish")))
    bounds = document(statement(action=["iot:Publish", "iot:Connect"], resource=TOPIC))
    opened = await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, policy=bounds))
    signer = await signer_of(iam, opened)
    assert await may(signer)
    assert not await may(signer, resource=TOPIC + "b")
    assert not await may(signer, "iot:Connect")
    rights = await Rights.of(signer.identity, signer.principals)
    assert rights.why_not("iot:Publish", TOPIC + "b") == "because no session policy allows the iot:Publish action"
    assert opened.packed is not None
    assert 0 < opened.packed < 10
    managed = msgspec.structs.replace(WISH, policy_arns=(LOGGING,))
    signer = await signer_of(iam, await iam.sts.assume_role(None, None, managed))
    assert not await may(signer)


@pytest.mark.parametrize(
    ("principal", "own", "allowed"),
    [
        ({"AWS": ACCOUNT}, None, False),
        ({"AWS": ACCOUNT}, statement(action="sts:AssumeRole", resource=ROLE), True),
        ({"AWS": ACCOUNT}, statement(action="sts:AssumeRole", resource=ROLE + "x"), False),
        ({"AWS": f"{LOCAL}:user/bob"}, None, True),
        ({"AWS": f"{LOCAL}:user/bob"}, statement("Deny", "sts:*"), False),
        ({"AWS": f"{LOCAL}:user/eve"}, statement(action="sts:*"), False),
        ({"Service": "iot.amazonaws.com"}, statement(action="sts:*"), False),
        ("*", None, True),
    ],
)
async def test_the_role_s_trust_and_the_caller_s_policies(
    iam: Iam, principal: object, own: dict[str, object] | None, allowed: bool
) -> None:
    """IAM user guide, reference_policies_evaluation-logic: one of them is enough where the user is named."""
    await iam.roles.make("r", trusting(principal))
    signer = await user(iam, *([] if own is None else [document(own)]))
    if allowed:
        assert await iam.sts.assume_role(signer.identity, signer.principals, WISH)
        return
    with pytest.raises(AccessDenied) as refused:
        await iam.sts.assume_role(signer.identity, signer.principals, WISH)
    expected = f"User: {LOCAL}:user/bob is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
    assert str(refused.value) == expected


async def test_a_boundary_binds_even_those_whom_the_role_names(iam: Iam) -> None:
    await iam.roles.make("r", trusting({"AWS": f"{LOCAL}:user/bob"}))
    await iam.policies.create("b", document(statement(action="iot:*")))
    signer = await user(iam)
    await iam.users.bound("bob", f"{LOCAL}:policy/b")
    with pytest.raises(AccessDenied):
        await iam.sts.assume_role(signer.identity, signer.principals, WISH)
    await iam.policies.create_version(f"{LOCAL}:policy/b", document(statement(action="sts:*")), default=True)
    assert await iam.sts.assume_role(signer.identity, signer.principals, WISH)


async def test_a_role_that_there_is_not_looks_like_one_that_does_not_trust(iam: Iam) -> None:
    signer = await user(iam, document(statement(action="sts:*")))
    with pytest.raises(AccessDenied) as refused:
        await iam.sts.assume_role(signer.identity, signer.principals, WISH)
    assert "no such role" not in str(refused.value)
    with pytest.raises(AccessDenied, match="because there is no such role"):
        await iam.sts.assume_role(None, None, WISH)


async def test_the_external_id_is_asked_for_and_not_told(iam: Iam) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "s3cret"}}
    await iam.roles.make("r", trusting({"AWS": f"{LOCAL}:user/bob"}, Condition=condition))
    signer = await user(iam)
    for external_id in (None, "other"):
        wish = msgspec.structs.replace(WISH, external_id=external_id)
        with pytest.raises(AccessDenied) as refused:
            await iam.sts.assume_role(signer.identity, signer.principals, wish)
        assert "s3cret" not in str(refused.value)
    wish = msgspec.structs.replace(WISH, external_id="s3cret")
    assert await iam.sts.assume_role(signer.identity, signer.principals, wish)


async def test_tags_and_source_identities_need_rights_of_their_own(iam: Iam) -> None:
    await iam.roles.make("r", TRUST_ACCOUNT)
    for wish, action in (
        (msgspec.structs.replace(WISH, tags={"a": "b"}), "sts:TagSession"),
        (msgspec.structs.replace(WISH, source_identity="eve"), "sts:SetSourceIdentity"),
    ):
        with pytest.raises(AccessDenied, match=action):
            await iam.sts.assume_role(None, None, wish)
    await iam.roles.update_trust("r", trusting({"AWS": ACCOUNT}, action="sts:*"))
    wish = msgspec.structs.replace(WISH, tags={"a": "b"}, source_identity="eve")
    signer = await signer_of(iam, await iam.sts.assume_role(None, None, wish))
    assert signer.identity.attributes["aws:PrincipalTag/a"] == "b"
    assert signer.identity.attributes["aws:SourceIdentity"] == "eve"


async def test_how_long_a_session_may_last(iam: Iam) -> None:
    await iam.roles.make("r", trusting({"AWS": ACCOUNT}), max_session=7200)
    await iam.roles.put_inline("r", "p", document(statement(action="sts:AssumeRole")))
    long = msgspec.structs.replace(WISH, duration=7200)
    chained = await signer_of(iam, await iam.sts.assume_role(None, None, long))
    assert await iam.sts.assume_role(chained.identity, chained.principals, WISH)
    with pytest.raises(ValidationError, match="role chaining"):
        await iam.sts.assume_role(chained.identity, chained.principals, long)
    with pytest.raises(ValidationError, match="MaxSessionDuration"):
        await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, duration=7201))


async def test_session_policies_must_make_sense_and_fit(iam: Iam) -> None:
    await iam.roles.make("r", trusting({"AWS": ACCOUNT}, action="sts:*"))
    with pytest.raises(MalformedPolicyDocument):
        await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, policy="{}"))
    many = tuple(f"{LOCAL}:policy/{'x' * 300}{number}" for number in range(10))
    with pytest.raises(PackedPolicyTooLarge, match=r"consumes 1[0-9]{2}% of allotted space"):
        await iam.sts.assume_role(None, None, msgspec.structs.replace(WISH, policy_arns=many))
    tagged = msgspec.structs.replace(WISH, tags={str(number): "" for number in range(51)})
    with pytest.raises(ValidationError, match="at most 50 tags"):
        await iam.sts.assume_role(None, None, tagged)


async def test_get_session_token_gives_the_rights_of_whoever_asks(iam: Iam) -> None:
    signer = await user(iam, document())
    opened = await iam.sts.session_token(signer.key.id, signer.identity, signer.principals, 900)
    session = await signer_of(iam, opened)
    assert session.identity.arn == signer.identity.arn
    assert session.identity.id == signer.identity.id
    assert await may(session)
    with pytest.raises(AccessDenied, match="session credentials"):
        await iam.sts.session_token(session.key.id, session.identity, session.principals, None)

    opened = await iam.sts.session_token(KEY.id, None, None, 86_400)
    root = await signer_of(iam, opened)
    assert root.root
    assert root.identity.arn == f"{LOCAL}:root"
    assert opened.session.expires - opened.session.issued <= 3600
    assert await may(root)
    with pytest.raises(AccessDenied, match="session credentials"):
        await iam.sts.session_token(root.key.id, None, None, None)
    iam.users._keys.forget(iam.users._keys._keys[KEY.id])
    with pytest.raises(UnrecognizedClient):
        await signer_of(iam, opened)


async def test_a_user_s_key_is_good_while_it_is_active(iam: Iam) -> None:
    signer = await user(iam, document())
    assert signer.identity.attributes["aws:username"] == "bob"
    assert await may(signer)
    await iam.users.update_key("bob", signer.key.id, Status.INACTIVE)
    with pytest.raises(UnrecognizedClient):
        await iam.signers.find(signer.key.id, None)
    identity = await signer.principals.recheck(signer.identity)
    assert (identity.active, identity.reason) == (False, f"access key {signer.key.id} is no longer active")
    await iam.users.update_key("bob", signer.key.id, Status.ACTIVE)
    assert (await signer.principals.recheck(signer.identity)).active
