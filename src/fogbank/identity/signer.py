"""Whoever a signature may be of: what it is checked with, and what comes of it where it is right."""

from typing import Protocol

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.errors import UnrecognizedClient
from fogbank.awswire.http import Request, parse_query
from fogbank.identity.access_key_principals import AccessKeyPrincipals, FindKey
from fogbank.ports import Identity, PrincipalStore
from fogbank.settings import AccessKey

INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """The owner of an access key or of a session, before anything is proven."""

    key: AccessKey
    """What the signature is checked with."""
    identity: Identity
    principals: PrincipalStore
    """Who knows the rights of `identity`."""
    root: bool = False
    """Whether it is the account's root, who may do everything."""
    expires: float | None = None
    """When its session ends, in seconds since the epoch; None: it has none."""


class Signers(Protocol):
    """Finds signers by what requests say of them."""

    async def find(self, key_id: str, token: str | None) -> Signer:
        """Who signs with that key and session token. Raises UnrecognizedClient, ExpiredToken."""
        ...


class RootSigners:
    """Knows the root's access keys alone."""

    def __init__(self, find: FindKey, arns: Arns) -> None:
        self._find = find
        self._arns = arns
        self._signers: dict[str, Signer] = {}
        """Those that have been asked for, by the ID of their key."""

    async def find(self, key_id: str, token: str | None) -> Signer:
        """Raises UnrecognizedClient: the root's keys have no session."""
        key = self._find(key_id)
        if key is None or token is not None:
            raise UnrecognizedClient(INVALID_TOKEN)
        signer = self._signers.get(key.id)
        if signer is None or signer.key != key:
            identity = root_identity(self._arns, key.id)
            principals = AccessKeyPrincipals(key.id, identity, self._find)
            signer = self._signers[key.id] = Signer(key=key, identity=identity, principals=principals, root=True)
        return signer


def root_identity(arns: Arns, key_id: str) -> Identity:
    """The root, by one of its keys."""
    name = f"{key_id}:root"
    arn = f"arn:{arns.partition}:iam::{arns.account}:root"
    return Identity(
        id=f"{arns.account}/{name}/{name}",  # the form of AWS's; what stands there for a root key: UNVERIFIED
        arn=arn,
        active=True,
        attributes={
            "aws:PrincipalArn": arn,
            "aws:PrincipalAccount": arns.account,
            "aws:PrincipalType": "Account",
            "aws:userid": arns.account,
        },
    )


def session_token(request: Request) -> str | None:
    """The session token that a request brings, in a header or in its query; an empty one is none."""
    found = request.headers.get("x-amz-security-token")
    if found is None and "X-Amz-Security-Token=" in request.query:
        found = dict(parse_query(request.query)).get("X-Amz-Security-Token")
    return found or None
