"""The keys of functions: whose they are, what they may do, and when they end."""

import pytest
from tests.identity.conftest import ARNS, KEY, MakeIam
from tests.identity.iam.conftest import ACCOUNT, LOCAL, document, statement, trusting

from fogbank.errors import Forbidden
from fogbank.identity.iam.execution_roles import LAMBDA, MARGIN, SECONDS
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.rights import Rights
from fogbank.ports import RoleCredentials
from fogbank.testing.clock import FakeClock

ROLE = f"{LOCAL}:role/f"
FUNCTION = ARNS.function("onboard")
TRUST = trusting({"Service": LAMBDA})


async def test_with_nobody_but_the_root_functions_have_its_key(iam: Iam) -> None:
    await iam.execution_roles.check(ROLE, FUNCTION)
    given = await iam.execution_roles.credentials(ROLE, FUNCTION)
    assert given == RoleCredentials(KEY.id, KEY.secret)
    assert iam.execution_roles.hold(given)
    assert KEY.secret not in repr(given)


async def test_the_first_role_ends_that(iam: Iam) -> None:
    given = await iam.execution_roles.credentials(ROLE, FUNCTION)
    await iam.roles.make("other", TRUST)
    assert not iam.execution_roles.hold(given)
    for call in (iam.execution_roles.check, iam.execution_roles.credentials):
        with pytest.raises(Forbidden, match="there is no such role in this account"):
            await call(ROLE, FUNCTION)


async def test_the_first_user_ends_that(iam: Iam) -> None:
    given = await iam.execution_roles.credentials(ROLE, FUNCTION)
    await iam.users.make("bob")
    assert not iam.execution_roles.hold(given)


async def test_whoever_wants_it_checked_from_the_start(make_iam: MakeIam) -> None:
    iam = await make_iam(check_roles=True)
    with pytest.raises(Forbidden):
        await iam.execution_roles.credentials(ROLE, FUNCTION)


async def test_keys_of_the_role(iam: Iam, clock: FakeClock) -> None:
    await iam.roles.make("f", TRUST, max_session=SECONDS)
    await iam.roles.put_inline("f", "p", document(statement(action="iot:UpdateCertificate")))
    await iam.execution_roles.check(ROLE, FUNCTION)
    given = await iam.execution_roles.credentials(ROLE, FUNCTION)
    assert given.expires == clock.time() + SECONDS
    signer = await iam.signers.find(given.key_id, given.token)
    assert signer.identity.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/f/onboard"
    rights = await Rights.of(signer.identity, signer.principals)
    assert rights.why_not("iot:UpdateCertificate", "*") is None
    assert rights.why_not("iot:DeleteCertificate", "*") is not None


async def test_they_end(iam: Iam, clock: FakeClock) -> None:
    await iam.roles.make("f", TRUST)
    given = await iam.execution_roles.credentials(ROLE, FUNCTION)
    assert given.expires == clock.time() + 3600
    await clock.advance(3600 - MARGIN - 1)
    assert iam.execution_roles.hold(given)
    await clock.advance(2)
    assert not iam.execution_roles.hold(given)


@pytest.mark.parametrize(
    "trust",
    [
        trusting({"Service": "iot.amazonaws.com"}),
        trusting({"Service": LAMBDA}, Condition={"ArnEquals": {"aws:SourceArn": FUNCTION + "2"}}),
    ],
)
async def test_a_role_that_does_not_trust_lambda(iam: Iam, trust: str) -> None:
    await iam.roles.make("f", trust)
    with pytest.raises(Forbidden, match="trust policy"):
        await iam.execution_roles.check(ROLE, FUNCTION)
