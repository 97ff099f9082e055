"""The account's registration code: what a CA signs to prove that whoever registers it holds its key.

64 hex digits, the same until it is deleted (API reference, GetRegistrationCode).
"""

import hmac
import secrets

from fogbank.errors import ResourceNotFound
from fogbank.registry.changes import settle
from fogbank.registry.records import Records, RegistrationCode

_KEY = "account"


class RegistrationCodes:
    """The one code of the account, made when it is first asked for."""

    def __init__(self, records: Records) -> None:
        self._codes = records.registration_codes

    async def get(self) -> str:
        """The code; durable before anybody sees it."""

        async def attempt() -> str:
            stored = await self._codes.get(_KEY)
            if stored is not None:
                return stored.value.code
            code = secrets.token_hex(32)
            await self._codes.put(_KEY, RegistrationCode(code=code), expect=0)
            return code

        return await settle(attempt)

    async def delete(self) -> None:
        """Verification certificates for it are worth nothing from now on. Raises ResourceNotFound."""
        if await self._codes.get(_KEY) is None:
            raise ResourceNotFound("There is no registration code; GetRegistrationCode makes one.")
        await self._codes.delete(_KEY)

    async def matches(self, text: str) -> bool:
        """Whether `text` is the code."""
        stored = await self._codes.get(_KEY)
        return stored is not None and hmac.compare_digest(stored.value.code.encode(), text.encode())
