"""Clients without names, as the plain listener has them."""

from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener


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
