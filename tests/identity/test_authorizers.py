"""Authorizers as resources."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.identity.conftest import ARNS, FUNCTION, Signer, SlowDocuments

from fogbank.errors import (
    DeleteConflict,
    InvalidRequest,
    LimitExceeded,
    ResourceAlreadyExists,
    ResourceNotFound,
    ServiceError,
)
from fogbank.identity.authorizers import MAX_ACTIVE, MAX_AUTHORIZERS, AuthorizerChange, Authorizers
from fogbank.identity.reception import Reception
from fogbank.identity.records import AuthorizerConfig, AuthorizerStatus
from fogbank.testing.clock import FakeClock

INACTIVE = AuthorizerStatus.INACTIVE


@pytest.fixture
def authorizers(reception: Reception) -> Authorizers:
    return reception.authorizers


async def unsigned(authorizers: Authorizers, name: str = "a", **more: Any) -> None:
    await authorizers.create(name, FUNCTION, signing_disabled=True, **more)


def ec_key() -> str:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return pem.decode()


async def test_one_is_made_described_changed_and_deleted(
    authorizers: Authorizers, signer: Signer, clock: FakeClock
) -> None:
    keys = {"first": signer.pem}
    made = await authorizers.create("a", FUNCTION, token_key_name="token", public_keys=keys)
    assert await authorizers.get("a") == made
    assert (made.status, made.signing_disabled, made.caching_for_http) == (AuthorizerStatus.ACTIVE, False, False)
    assert authorizers.arn("a") == "arn:aws:iot:eu-west-1:123456789012:authorizer/a"
    await clock.advance(10)
    change = AuthorizerChange(status=INACTIVE, caching_for_http=True, function_arn=ARNS.function("f", "live"))
    changed = await authorizers.update("a", change)
    assert await authorizers.get("a") == changed
    assert (changed.status, changed.caching_for_http, changed.token_key_name) == (INACTIVE, True, "token")
    assert changed.function_arn.endswith(":function:f:live")
    assert (changed.created, changed.modified) == (made.created, made.created + 10)
    await authorizers.delete("a")
    with pytest.raises(ResourceNotFound, match="Authorizer a not found"):
        await authorizers.get("a")


async def test_a_name_is_taken_once(authorizers: Authorizers) -> None:
    await unsigned(authorizers)
    with pytest.raises(ResourceAlreadyExists) as refused:
        await unsigned(authorizers)
    assert refused.value.members["resourceArn"] == authorizers.arn("a")


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "judge",
        "arn:aws:lambda:eu-west-1:123456789012:layer:x",
        "arn:aws:lambda:us-east-1:123456789012:function:judge",
        "arn:aws:lambda:eu-west-1:999999999999:function:judge",
        "arn:aws:lambda:eu-west-1:123456789012:function:judge:1:2",
    ],
)
async def test_functions_that_could_never_be_asked(authorizers: Authorizers, arn: str) -> None:
    with pytest.raises(InvalidRequest, match="authorizerFunctionArn must be the ARN"):
        await authorizers.create("a", arn, signing_disabled=True)


async def test_signing_needs_a_key_and_a_place_for_the_token(authorizers: Authorizers, signer: Signer) -> None:
    for given in ({}, {"token_key_name": "token"}, {"public_keys": {"k": signer.pem}}):
        with pytest.raises(InvalidRequest, match="are required where signing is enabled"):
            await authorizers.create("a", FUNCTION, **given)
    await authorizers.create("a", FUNCTION, token_key_name="token", public_keys={"k": signer.pem})
    with pytest.raises(InvalidRequest, match="are required where signing is enabled"):
        await authorizers.update("a", AuthorizerChange(public_keys={}))


@pytest.mark.parametrize(
    ("pem", "what"),
    [
        ("", "The public key k is not readable"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "not readable"),
        (Signer(1024).pem, "has 1024 bits; it must have 2048"),
        (ec_key(), "not an RSA key"),
    ],
    ids=["empty", "garbage", "short", "elliptic"],
)
async def test_keys_that_will_not_do(authorizers: Authorizers, pem: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what):
        await authorizers.create("a", FUNCTION, token_key_name="token", public_keys={"k": pem})
    await unsigned(authorizers)
    with pytest.raises(InvalidRequest, match=what):
        await authorizers.update("a", AuthorizerChange(public_keys={"k": pem}))


async def test_lists_by_status(authorizers: Authorizers) -> None:
    for name, status in (("b", INACTIVE), ("a", AuthorizerStatus.ACTIVE)):
        await unsigned(authorizers, name, status=status)
    assert [one.name for one in await authorizers.all()] == ["a", "b"]
    assert [one.name for one in await authorizers.all(INACTIVE)] == ["b"]


@pytest.mark.parametrize("operation", ["get", "delete", "set_default"])
async def test_one_that_is_not_there(authorizers: Authorizers, operation: str) -> None:
    with pytest.raises(ResourceNotFound):
        await getattr(authorizers, operation)("nobody")
    with pytest.raises(ResourceNotFound):
        await authorizers.update("nobody", AuthorizerChange())


class TestDelete:
    async def test_an_active_one_stays(self, authorizers: Authorizers) -> None:
        await unsigned(authorizers)
        with pytest.raises(DeleteConflict, match="is ACTIVE"):
            await authorizers.delete("a")

    async def test_the_default_one_stays(self, authorizers: Authorizers) -> None:
        await unsigned(authorizers, status=INACTIVE)
        await authorizers.set_default("a")
        with pytest.raises(DeleteConflict, match="call ClearDefaultAuthorizer"):
            await authorizers.delete("a")
        await authorizers.clear_default()
        await authorizers.delete("a")

    async def test_one_that_a_domain_configuration_names_stays(self, reception: Reception) -> None:
        await unsigned(reception.authorizers, status=INACTIVE)
        await reception.domains.create("d", authorizer=AuthorizerConfig("a"))
        with pytest.raises(DeleteConflict, match="domain configuration d"):
            await reception.authorizers.delete("a")


class TestDefault:
    async def test_it_is_set_and_cleared(self, authorizers: Authorizers) -> None:
        assert await authorizers.default() is None
        with pytest.raises(ResourceNotFound, match="no default authorizer"):
            await authorizers.clear_default()
        await unsigned(authorizers)
        await authorizers.set_default("a")
        await authorizers.set_default("a")
        assert await authorizers.default() == "a"
        await authorizers.clear_default()
        assert await authorizers.default() is None
        await authorizers.set_default("a")
        assert await authorizers.default() == "a"

    async def test_another_does_not_take_its_place_unasked(self, authorizers: Authorizers) -> None:
        await unsigned(authorizers)
        await unsigned(authorizers, "b")
        await authorizers.set_default("a")
        with pytest.raises(ResourceAlreadyExists, match="a is the default authorizer"):
            await authorizers.set_default("b")
        assert await authorizers.default() == "a"


class TestQuotas:
    async def test_active_ones(self, authorizers: Authorizers) -> None:
        for number in range(MAX_ACTIVE):
            await unsigned(authorizers, f"a{number}")
        with pytest.raises(LimitExceeded, match="32 active"):
            await unsigned(authorizers, "more")
        await unsigned(authorizers, "more", status=INACTIVE)
        with pytest.raises(LimitExceeded, match="32 active"):
            await authorizers.update("more", AuthorizerChange(status=AuthorizerStatus.ACTIVE))
        await authorizers.update("a0", AuthorizerChange(caching_for_http=True))  # what is active may change
        await authorizers.update("a0", AuthorizerChange(status=INACTIVE))
        await authorizers.update("more", AuthorizerChange(status=AuthorizerStatus.ACTIVE))

    async def test_all(self, authorizers: Authorizers) -> None:
        for number in range(MAX_AUTHORIZERS):
            await unsigned(authorizers, f"a{number}", status=INACTIVE)
        with pytest.raises(LimitExceeded, match="has 100 authorizers"):
            await unsigned(authorizers, "more", status=INACTIVE)
        await authorizers.update("a0", AuthorizerChange(status=AuthorizerStatus.ACTIVE))

    async def test_there_are_none_where_limits_are_open(self, make: Callable[..., Reception]) -> None:
        authorizers = make(limited=False).authorizers
        for number in range(MAX_AUTHORIZERS + 1):
            await unsigned(authorizers, f"a{number}")
        assert len(await authorizers.all()) == MAX_AUTHORIZERS + 1


async def test_what_is_made_is_there_after_a_restart(make: Callable[..., Reception]) -> None:
    await unsigned(make().authorizers)
    await make().authorizers.set_default("a")
    again = make().authorizers
    assert await again.default() == "a"
    assert (await again.get("a")).signing_disabled


@pytest.mark.parametrize("seed", range(40))
async def test_nothing_refers_to_one_that_is_deleted_meanwhile(make: Callable[..., Reception], seed: int) -> None:
    reception = make(SlowDocuments(Random(seed)))
    authorizers, domains = reception.authorizers, reception.domains
    await unsigned(authorizers, status=INACTIVE)
    refused = await asyncio.gather(
        authorizers.set_default("a"),
        domains.create("d", authorizer=AuthorizerConfig("a")),
        authorizers.delete("a"),
        unsigned(authorizers, "b"),
        return_exceptions=True,
    )
    assert all(isinstance(one, ServiceError) for one in refused if isinstance(one, BaseException))
    there = {one.name for one in await authorizers.all()}
    named = {await authorizers.default()}
    named |= {one.authorizer.default for one in await domains.all() if one.authorizer is not None}
    assert named - {None} <= there
