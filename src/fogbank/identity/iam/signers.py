"""Whose an access key is: the root's, a user's, or a session's, which comes with its token."""

import hmac

from fogbank.arns import Arns
from fogbank.awswire.errors import ExpiredToken, UnrecognizedClient
from fogbank.clock import Clock
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.principals import Household, IamPrincipals
from fogbank.identity.iam.records import Role, User
from fogbank.identity.iam.seal import Seal, Session
from fogbank.identity.signer import INVALID_TOKEN, RootSigners, Signer
from fogbank.settings import AccessKey


class IamSigners:
    """Implements `signer.Signers` for the whole account."""

    def __init__(self, household: Household, keys: AccessKeys, seal: Seal, arns: Arns, clock: Clock) -> None:
        self._household = household
        self._keys = keys
        self._root = RootSigners(keys.get, arns)
        self._seal = seal
        self._clock = clock

    async def find(self, key_id: str, token: str | None) -> Signer:
        """Who signs with that key and token. Raises UnrecognizedClient, ExpiredToken."""
        if token:
            return await self._session(key_id, token)
        record = self._keys.record(key_id)
        if record is None or record.user is None:
            return await self._root.find(key_id, None)
        user = await self._household.users.find(record.user)
        if user is None:
            raise UnrecognizedClient(INVALID_TOKEN)
        principals = IamPrincipals(self._household, record, user)
        key = AccessKey(record.id, record.secret)
        return Signer(key=key, identity=principals.identity, principals=principals)

    async def _session(self, key_id: str, token: str) -> Signer:
        session = self._seal.open(token)
        if session is None or not hmac.compare_digest(session.key_id.encode(), key_id.encode()):
            raise UnrecognizedClient(INVALID_TOKEN)
        if self._clock.time() >= session.expires:
            raise ExpiredToken("The security token included in the request is expired")
        principals = IamPrincipals(self._household, session, await self._holder(session))
        identity = await principals.recheck(principals.identity)
        if not identity.active:
            raise UnrecognizedClient(INVALID_TOKEN)
        key = AccessKey(session.key_id, session.secret)
        root = not session.holder_id
        return Signer(key=key, identity=identity, principals=principals, root=root, expires=session.expires)

    async def _holder(self, session: Session) -> User | Role | None:
        if not session.holder_id:
            return None
        found = await (self._household.users if session.name is None else self._household.roles).find(session.holder)
        if found is None or found.id != session.holder_id:
            raise UnrecognizedClient(INVALID_TOKEN)
        return found
