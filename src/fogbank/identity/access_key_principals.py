"""Clients that sign with an access key of the account: they have all rights, as long as there is the key."""

from collections.abc import Callable

from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener
from fogbank.settings import AccessKey

FindKey = Callable[[str], AccessKey | None]
"""The active key of an ID."""

_ALL_RIGHTS = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"""


class AccessKeyPrincipals:
    """The PrincipalStore of a connection that one access key opened."""

    def __init__(self, key_id: str, identity: Identity, find: FindKey) -> None:
        self._key_id = key_id
        self._identity = identity
        self._find = find
        self._grant = Grant((PolicyDocument(f"all rights of access key {key_id}", _ALL_RIGHTS),))

    async def identify(self, certificate: bytes) -> Identity:
        """A certificate has no say here."""
        return self._identity

    async def recheck(self, identity: Identity) -> Identity:
        if self._find(self._key_id) is not None:
            return self._identity
        return Identity(self._identity.id, self._identity.arn, False, f"access key {self._key_id} is no longer active")

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return self._grant

    def watch(self, listener: PrincipalListener) -> None:
        """Keys change when the platform starts, and at no other time."""
