"""Custom authorizers as resources: functions that decide who may connect (developer guide, custom-authentication).

Nothing is held in memory: one is read when a client names it, which takes microseconds, and so a change holds for the
next client.
"""

import re
from collections.abc import Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import DeleteConflict, InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.identity.records import Authorizer, AuthorizerStatus, DefaultAuthorizer, Records, held, settle
from fogbank.identity.token_signatures import check_public_key
from fogbank.storage.collection import Stored

MAX_AUTHORIZERS = 100
MAX_ACTIVE = 32
"""Per account (general reference, AWS IoT Core limits and quotas)."""

_FUNCTION = re.compile(r"arn:([^:]+):lambda:([^:]+):([^:]+):function:[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9$_-]{1,128})?")
_DEFAULT = "default"


class AuthorizerChange(msgspec.Struct, frozen=True, kw_only=True):
    """What UpdateAuthorizer can change; None leaves it as it is. Whether tokens are signed stays for good."""

    function_arn: str | None = None
    token_key_name: str | None = None
    public_keys: Mapping[str, str] | None = None
    status: AuthorizerStatus | None = None
    caching_for_http: bool | None = None


class Authorizers:
    """The authorizers of the account."""

    def __init__(self, records: Records, arns: Arns, clock: Clock, *, limited: bool = True) -> None:
        """`limited`: whether AWS's quotas bind."""
        self._records = records
        self._arns = arns
        self._clock = clock
        self._limited = limited
        records.tags.register("authorizer", records.authorizers.presence)

    def arn(self, name: str) -> str:
        return self._arns.iot("authorizer", name)

    async def create(
        self,
        name: str,
        function_arn: str,
        *,
        token_key_name: str | None = None,
        public_keys: Mapping[str, str] | None = None,
        status: AuthorizerStatus = AuthorizerStatus.ACTIVE,
        signing_disabled: bool = False,
        caching_for_http: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> Authorizer:
        """Make an authorizer. ACTIVE where nothing else is asked for is UNVERIFIED.

        Raises InvalidRequest, ResourceAlreadyExists, LimitExceeded.
        """
        now = self._clock.time()
        made = Authorizer(
            name=name,
            function_arn=function_arn,
            created=now,
            modified=now,
            status=status,
            token_key_name=token_key_name,
            public_keys=public_keys or {},
            signing_disabled=signing_disabled,
            caching_for_http=caching_for_http,
        )
        self._check(made)

        async def attempt() -> Authorizer:
            if await self.find(name) is not None:
                raise ResourceAlreadyExists(
                    f"Authorizer {name} already exists", resourceId=name, resourceArn=self.arn(name)
                )
            await self._check_quotas(made)
            await self._records.commit(
                self._records.authorizers.putting(name, made, expect=0),
                self._records.tags.putting(self.arn(name), tags or {}),
            )
            return made

        return await settle(attempt)

    async def find(self, name: str) -> Authorizer | None:
        stored = await self._records.authorizers.get(name)
        return None if stored is None else stored.value

    async def get(self, name: str) -> Authorizer:
        """Raises ResourceNotFound."""
        return (await self._stored(name)).value

    async def all(self, status: AuthorizerStatus | None = None) -> list[Authorizer]:
        """In the order of names; those of one status where it is given."""
        found = [one.value for one in await self._records.authorizers.scan()]
        return [one for one in found if status is None or one.status is status]

    async def update(self, name: str, change: AuthorizerChange) -> Authorizer:
        """Raises ResourceNotFound, InvalidRequest, LimitExceeded."""

        async def attempt() -> Authorizer:
            stored = await self._stored(name)
            given = {field: value for field, value in msgspec.structs.asdict(change).items() if value is not None}
            changed = msgspec.structs.replace(stored.value, modified=self._clock.time(), **given)
            self._check(changed)
            if changed.status is not stored.value.status:
                await self._check_quotas(changed, beside=1)
            await self._records.commit(self._records.authorizers.putting(name, changed, expect=stored.version))
            return changed

        return await settle(attempt)

    async def delete(self, name: str) -> None:
        """Remove an INACTIVE authorizer that nothing refers to. Raises ResourceNotFound, DeleteConflict."""

        async def attempt() -> None:
            stored = await self._stored(name)
            if stored.value.status is AuthorizerStatus.ACTIVE:
                raise DeleteConflict(f"Authorizer {name} is ACTIVE; set its status to INACTIVE before you delete it")
            default = await self._records.default_authorizer.get(_DEFAULT)
            if default is not None and default.value.name == name:
                raise DeleteConflict(f"Authorizer {name} is the default one; call ClearDefaultAuthorizer first")
            if used := await self._records.domain_configurations.find("authorizer", name, limit=1):
                raise DeleteConflict(f"Authorizer {name} is the default one of domain configuration {used[0].key}")
            await self._records.commit(
                self._records.authorizers.deleting(name, expect=stored.version),
                self._records.tags.deleting(self.arn(name)),
            )

        await settle(attempt)

    # --- the default one ----------------------------------------------------------------------------------------

    async def default(self) -> str | None:
        """The name of the authorizer that clients get who name none."""
        stored = await self._records.default_authorizer.get(_DEFAULT)
        return None if stored is None else stored.value.name

    async def set_default(self, name: str) -> None:
        """Raises ResourceNotFound; ResourceAlreadyExists where another one is the default."""

        async def attempt() -> None:
            stored = await self._stored(name)
            default = await self._records.default_authorizer.get(_DEFAULT)
            if default is not None and default.value.name != name:
                raise ResourceAlreadyExists(
                    f"{default.value.name} is the default authorizer; call ClearDefaultAuthorizer first",
                    resourceId=default.value.name,
                    resourceArn=self.arn(default.value.name),
                )
            await self._records.commit(
                self._records.default_authorizer.putting(
                    _DEFAULT, DefaultAuthorizer(name), expect=0 if default is None else default.version
                ),
                held(self._records.authorizers, stored),
            )

        await settle(attempt)

    async def clear_default(self) -> None:
        """Raises ResourceNotFound where there is none."""
        if await self.default() is None:
            raise ResourceNotFound("There is no default authorizer")
        await self._records.commit(self._records.default_authorizer.deleting(_DEFAULT))

    # --- checks ---------------------------------------------------------------------------------------------------

    async def _stored(self, name: str) -> Stored[Authorizer]:
        stored = await self._records.authorizers.get(name)
        if stored is None:
            raise ResourceNotFound(f"Authorizer {name} not found")
        return stored

    def _check(self, authorizer: Authorizer) -> None:
        arn = _FUNCTION.fullmatch(authorizer.function_arn)
        here = (self._arns.partition, self._arns.region, self._arns.account)
        if arn is None or arn.groups()[:3] != here:
            raise InvalidRequest(
                f"authorizerFunctionArn must be the ARN of a function of this account and region, "
                f"{self._arns.function('NAME')}, not {authorizer.function_arn[:256]!r}"
            )
        for name, pem in authorizer.public_keys.items():
            check_public_key(name, pem)
        if authorizer.signing_disabled:
            return
        if authorizer.token_key_name is None or not authorizer.public_keys:
            raise InvalidRequest(
                "tokenKeyName and tokenSigningPublicKeys are required where signing is enabled; "
                "give them, or create the authorizer with signingDisabled"
            )

    async def _check_quotas(self, wanted: Authorizer, beside: int = 0) -> None:
        """`beside`: 1 where `wanted` is among those there are."""
        if not self._limited:
            return
        there = await self.all()
        if len(there) - beside >= MAX_AUTHORIZERS:
            raise LimitExceeded(f"The account has {MAX_AUTHORIZERS} authorizers, which is its quota; delete one first")
        active = sum(one.status is AuthorizerStatus.ACTIVE for one in there)
        if wanted.status is AuthorizerStatus.ACTIVE and active >= MAX_ACTIVE:
            raise LimitExceeded(f"The account has {MAX_ACTIVE} active authorizers, which is its quota; deactivate one")
