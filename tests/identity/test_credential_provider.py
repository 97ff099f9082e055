"""The credential provider: who gets keys of a role, what they may do with them, and until when."""

import msgspec
import pytest
from tests.identity.conftest import ARNS, CERTIFICATE, MakeIam
from tests.identity.iam.conftest import ACCOUNT, LOCAL, document, statement, trusting

from fogbank.awswire.errors import ExpiredToken
from fogbank.errors import Forbidden, ResourceNotFound
from fogbank.identity.credential_provider import ACTION, SERVICE, CredentialProvider
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.rights import Rights
from fogbank.identity.iam.sts import Opened
from fogbank.identity.records import Records
from fogbank.identity.role_aliases import RoleAliases
from fogbank.policy.variables import Values
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener, ThingContext
from fogbank.registry.tags import Tags
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock
from fogbank.trace import Trace, TraceEvent

ALIAS = ARNS.iot("rolealias", "cam")
TRUST = trusting({"Service": SERVICE})


class Registry:
    """The PrincipalStore: what the certificate may do, and the thing that it is attached to."""

    def __init__(self) -> None:
        self.policy = document(statement(action=ACTION, resource=ALIAS))
        self.things = {"camera-7": ThingContext("camera-7", True, "camera")}

    async def identify(self, certificate: bytes) -> Identity:
        raise NotImplementedError

    async def recheck(self, identity: Identity) -> Identity:
        raise NotImplementedError

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        assert identity is CERTIFICATE
        return Grant((PolicyDocument("own", self.policy),), self.things.get(client_id or ""))

    def watch(self, listener: PrincipalListener) -> None:
        raise NotImplementedError


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
async def iam(make_iam: MakeIam) -> Iam:
    iam = await make_iam()
    await iam.roles.make("camera", TRUST)
    await iam.roles.put_inline("camera", "p", document(statement(action="s3:PutObject")))
    return iam


@pytest.fixture
async def aliases(documents: MemoryDocuments, clock: FakeClock) -> RoleAliases:
    aliases = RoleAliases(Records(documents, Tags(documents, ARNS)), ARNS, clock)
    await aliases.create("cam", f"{LOCAL}:role/camera", duration=900)
    return aliases


@pytest.fixture
def provider(aliases: RoleAliases, iam: Iam, registry: Registry, trace: Trace) -> CredentialProvider:
    return CredentialProvider(aliases, iam.sts, registry, ARNS, trace)


async def may(iam: Iam, opened: Opened, action: str, resource: str = "*", context: Values | None = None) -> bool:
    signer = await iam.signers.find(opened.session.key_id, opened.token)
    return (await Rights.of(signer.identity, signer.principals)).why_not(action, resource, context) is None


async def refusal(provider: CredentialProvider, events: list[TraceEvent], thing: str | None = None) -> str:
    """Why the trace says that there are no credentials; the device is told nothing of it."""
    with pytest.raises(Forbidden) as refused:
        await provider.credentials(CERTIFICATE, "cam", thing=thing)
    assert refused.value.message == "Access Denied"
    assert (events[-1].kind, events[-1].status, events[-1].name) == ("credentials", "denied", "cam")
    return events[-1].reason


async def test_keys_of_the_role_for_a_while(provider: CredentialProvider, iam: Iam, clock: FakeClock) -> None:
    opened = await provider.credentials(CERTIFICATE, "cam")
    signer = await iam.signers.find(opened.session.key_id, opened.token)
    assert signer.identity.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/camera/{CERTIFICATE.id}"
    assert opened.session.expires == clock.time() + 900
    assert await may(iam, opened, "s3:PutObject")
    assert not await may(iam, opened, "s3:DeleteObject")
    await clock.advance(901)
    with pytest.raises(ExpiredToken):
        await iam.signers.find(opened.session.key_id, opened.token)


async def test_the_roles_policies_know_the_device(provider: CredentialProvider, iam: Iam) -> None:
    own = "arn:aws:s3:::films/${credentials-iot:ThingTypeName}/${credentials-iot:ThingName}/*"
    await iam.roles.put_inline("camera", "p", document(statement(action="s3:PutObject", resource=own)))
    opened = await provider.credentials(CERTIFICATE, "cam", thing="camera-7")
    assert await may(iam, opened, "s3:PutObject", "arn:aws:s3:::films/camera/camera-7/1.mp4")
    assert not await may(iam, opened, "s3:PutObject", "arn:aws:s3:::films/camera/camera-8/1.mp4")
    nameless = await provider.credentials(CERTIFICATE, "cam")
    assert not await may(iam, nameless, "s3:PutObject", "arn:aws:s3:::films/camera/camera-7/1.mp4")
    assert opened.session.context["credentials-iot:AwsCertificateId"] == CERTIFICATE.id


async def test_a_thing_that_is_not_the_devices(
    provider: CredentialProvider, registry: Registry, events: list[TraceEvent]
) -> None:
    assert await refusal(provider, events, "camera-8") == "thing camera-8 is not attached to the certificate"
    registry.things["camera-8"] = ThingContext("camera-8", False)
    assert await refusal(provider, events, "camera-8") == "thing camera-8 is not attached to the certificate"
    registry.things["camera-8"] = ThingContext("other", True, exclusive=True)
    assert await refusal(provider, events, "camera-8") == "thing camera-8 is not attached to the certificate"


async def test_a_certificate_that_may_not(
    provider: CredentialProvider, registry: Registry, events: list[TraceEvent]
) -> None:
    registry.policy = document(statement(action=ACTION, resource=ALIAS + "2"), statement(action="iot:Connect"))
    assert ACTION in await refusal(provider, events)
    registry.policy = document(statement(action="iot:*"), statement("Deny", action=ACTION, resource=ALIAS))
    assert "denies" in await refusal(provider, events)


async def test_whether_an_alias_exists_is_told_to_those_who_may(
    provider: CredentialProvider, registry: Registry, events: list[TraceEvent]
) -> None:
    with pytest.raises(Forbidden):
        await provider.credentials(CERTIFICATE, "none")
    registry.policy = document(statement(action=ACTION))
    with pytest.raises(ResourceNotFound):
        await provider.credentials(CERTIFICATE, "none")


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        (trusting({"Service": "iot.amazonaws.com"}), "its trust policy does not allow sts:AssumeRole to"),
        (trusting({"AWS": ACCOUNT}), "its trust policy does not allow"),
        (
            trusting({"Service": SERVICE}, Condition={"ArnEquals": {"aws:SourceArn": ALIAS + "2"}}),
            "only where",
        ),
    ],
)
async def test_a_role_that_does_not_trust_the_provider(
    provider: CredentialProvider, iam: Iam, events: list[TraceEvent], trust: str, reason: str
) -> None:
    await iam.roles.update_trust("camera", trust)
    assert reason in await refusal(provider, events)


async def test_trust_for_this_alias_alone(provider: CredentialProvider, iam: Iam) -> None:
    conditions = {"ArnEquals": {"aws:SourceArn": ALIAS}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
    await iam.roles.update_trust("camera", trusting({"Service": SERVICE}, Condition=conditions))
    assert (await provider.credentials(CERTIFICATE, "cam")).session.holder == "camera"


async def test_a_role_that_is_not_there(
    provider: CredentialProvider, aliases: RoleAliases, events: list[TraceEvent]
) -> None:
    await aliases.update("cam", role_arn=f"{LOCAL}:role/gone")
    assert "there is no such role in this account" in await refusal(provider, events)


async def test_the_role_bounds_the_duration(
    provider: CredentialProvider, aliases: RoleAliases, clock: FakeClock
) -> None:
    await aliases.update("cam", duration=43_200)
    assert (await provider.credentials(CERTIFICATE, "cam")).session.expires == clock.time() + 3600


async def test_success_is_traced_without_the_keys(provider: CredentialProvider, events: list[TraceEvent]) -> None:
    opened = await provider.credentials(CERTIFICATE, "cam")
    [told] = [one for one in events if one.kind == "credentials"]
    assert told.status == "success"
    assert opened.session.secret not in msgspec.json.encode(told).decode()
