"""Clients that are not let in, or not yet: an identity that is not active, with the reason."""

from fogbank.ports import Grant, Identity, PrincipalListener


class Nobody:
    """The PrincipalStore of such a client: whenever it is asked, the answer is no."""

    def __init__(self, reason: str) -> None:
        self.identity = Identity("", "", active=False, reason=reason)

    async def identify(self, certificate: bytes) -> Identity:
        return self.identity

    async def recheck(self, identity: Identity) -> Identity:
        return self.identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return Grant()

    def watch(self, listener: PrincipalListener) -> None:
        """Nothing here ever changes."""
