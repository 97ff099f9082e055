"""Who is at the other end of an accepted connection."""

import msgspec

from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener, PrincipalStore

NO_CERTIFICATE = Identity(id="", arn="", active=False, reason="the client sent no certificate")


class Peer(msgspec.Struct, frozen=True):
    """An identity, the store that knows its rights, and an address."""

    identity: Identity
    principals: PrincipalStore
    ip: str | None = None


class NoPrincipals:
    """The principal store of a client without a certificate: whenever it is asked, there is still none."""

    async def identify(self, certificate: bytes) -> Identity:
        return NO_CERTIFICATE

    async def recheck(self, identity: Identity) -> Identity:
        return NO_CERTIFICATE

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return Grant(())

    def watch(self, listener: PrincipalListener) -> None:
        """Nothing here ever changes."""


class PlainPrincipals:
    """The principal store of the plain listener, whose clients have no names: one policy serves them all."""

    identity = Identity(id="plain", arn="", active=True)

    def __init__(self, policy: str | None) -> None:
        document = policy if policy is not None else ALLOW_EVERYTHING
        self._grant = Grant((PolicyDocument("plain", document),))

    async def identify(self, certificate: bytes) -> Identity:
        return self.identity

    async def recheck(self, identity: Identity) -> Identity:
        return identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return self._grant

    def watch(self, listener: PrincipalListener) -> None:
        """Nothing here ever changes."""


ALLOW_EVERYTHING = (
    """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}"""
)
