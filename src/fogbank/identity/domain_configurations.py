"""Domain configurations: what holds for clients that ask for one host name in TLS (developer guide,
"Domain configurations").

They choose how clients of a name prove who they are, what they speak, and which authorizer judges them. The server's
certificate they do not choose: every name is served with the platform's own, so a name should be among those that
certificate bears (`fogbank up --name`); where it is not, the description says so.
"""

import logging
import re
import secrets
import string
from collections.abc import Iterable, Mapping

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.identity.records import (
    ApplicationProtocol,
    AuthenticationType,
    AuthorizerConfig,
    DomainConfiguration,
    DomainName,
    DomainStatus,
    Records,
    held,
    settle,
)
from fogbank.ports import Expect, Put
from fogbank.storage.collection import Stored

log = logging.getLogger(__name__)

MAX_CONFIGURATIONS = 10
"""Per account (general reference, AWS IoT Core limits and quotas)."""

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+")
_SUFFIX = string.ascii_lowercase + string.digits

_SPOKEN: Mapping[AuthenticationType, frozenset[ApplicationProtocol]] = {
    AuthenticationType.AWS_X509: frozenset({ApplicationProtocol.SECURE_MQTT, ApplicationProtocol.HTTPS}),
    AuthenticationType.AWS_SIGV4: frozenset({ApplicationProtocol.MQTT_WSS, ApplicationProtocol.HTTPS}),
    AuthenticationType.CUSTOM_AUTH_X509: frozenset({ApplicationProtocol.SECURE_MQTT, ApplicationProtocol.HTTPS}),
}
"""What can be spoken with each way to prove who one is; all others go with everything, and all with DEFAULT
(developer guide, "Choosing an application protocol for your device communication")."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a connection by the name it asked for."""

    configuration: str | None = None
    """Which domain configuration says so; None where none is about the name."""
    enabled: bool = True
    authentication: AuthenticationType = AuthenticationType.DEFAULT
    protocol: ApplicationProtocol = ApplicationProtocol.DEFAULT
    authorizer: str | None = None
    """The one that judges clients which name none; None: the account's default."""
    override: bool = True
    """Whether clients may name another."""


class DomainChange(msgspec.Struct, frozen=True, kw_only=True):
    """What UpdateDomainConfiguration can change; None leaves it as it is."""

    status: DomainStatus | None = None
    authentication: AuthenticationType | None = None
    protocol: ApplicationProtocol | None = None
    authorizer: AuthorizerConfig | None = None
    remove_authorizer: bool = False
    security_policy: str | None = None


class DomainConfigurations:
    """The domain configurations of the account."""

    def __init__(
        self, records: Records, arns: Arns, clock: Clock, *, served: Iterable[str], limited: bool = True
    ) -> None:
        """`served` are the names that the server's certificate bears. `limited`: whether AWS's quotas bind."""
        self._records = records
        self._arns = arns
        self._clock = clock
        self._served = frozenset(name.lower() for name in served)
        self._limited = limited
        records.tags.register("domainconfiguration", self._presence)

    def arn(self, configuration: DomainConfiguration) -> str:
        return self._arns.iot("domainconfiguration", f"{configuration.name}/{configuration.suffix}")

    async def terms(self, server_name: str | None) -> Terms:
        """What holds for a connection that asked for this name."""
        name = None if server_name is None else await self._records.domain_names.get(_folded(server_name))
        stored = None if name is None else await self._records.domain_configurations.get(name.value.configuration)
        if stored is None:
            return Terms()
        one = stored.value
        config = one.authorizer
        return Terms(
            configuration=one.name,
            enabled=one.status is DomainStatus.ENABLED,
            authentication=one.authentication,
            protocol=one.protocol,
            authorizer=None if config is None else config.default,
            override=config is None or config.override,
        )

    async def create(
        self,
        name: str,
        domain_name: str | None = None,
        *,
        authentication: AuthenticationType = AuthenticationType.DEFAULT,
        protocol: ApplicationProtocol = ApplicationProtocol.DEFAULT,
        authorizer: AuthorizerConfig | None = None,
        certificate_arns: tuple[str, ...] = (),
        validation_certificate_arn: str | None = None,
        security_policy: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> DomainConfiguration:
        """Make a configuration, ENABLED. Without `domain_name` it gets a name of our making.

        Raises InvalidRequest, ResourceAlreadyExists, LimitExceeded.
        """
        made = DomainConfiguration(
            name=name,
            suffix="".join(secrets.choice(_SUFFIX) for _ in range(5)),
            domain_name=self._made_up(name) if domain_name is None else _checked(domain_name),
            customer_managed=domain_name is not None,
            status=DomainStatus.ENABLED,
            status_changed=self._clock.time(),
            authentication=authentication,
            protocol=protocol,
            authorizer=authorizer,
            certificate_arns=certificate_arns,
            validation_certificate_arn=validation_certificate_arn,
            security_policy=security_policy,
        )
        _check_pair(made)

        async def attempt() -> DomainConfiguration:
            await self._check_free(made)
            key = _folded(made.domain_name)
            await self._records.commit(
                self._records.domain_configurations.putting(name, made, expect=0),
                self._records.domain_names.putting(key, DomainName(name), expect=0),
                self._records.tags.putting(self.arn(made), tags or {}),
                *await self._held_authorizer(made),
            )
            return made

        await settle(attempt)
        if not self.is_served(made):
            log.warning("domain configuration %s: %s", name, self.certificate_detail(made))
        return made

    async def get(self, name: str) -> DomainConfiguration:
        """Raises ResourceNotFound."""
        return (await self._stored(name)).value

    async def all(self) -> list[DomainConfiguration]:
        """In the order of names."""
        return [one.value for one in await self._records.domain_configurations.scan()]

    async def update(self, name: str, change: DomainChange) -> DomainConfiguration:
        """New connections follow the change; those that there are go on. Raises ResourceNotFound, InvalidRequest."""
        if change.remove_authorizer and change.authorizer is not None:
            raise InvalidRequest("authorizerConfig and removeAuthorizerConfig cannot be used together")

        async def attempt() -> DomainConfiguration:
            stored = await self._stored(name)
            before = stored.value
            status = change.status or before.status
            after = msgspec.structs.replace(
                before,
                status=status,
                status_changed=before.status_changed if status is before.status else self._clock.time(),
                authentication=change.authentication or before.authentication,
                protocol=change.protocol or before.protocol,
                authorizer=None if change.remove_authorizer else change.authorizer or before.authorizer,
                security_policy=change.security_policy or before.security_policy,
            )
            _check_pair(after)
            await self._records.commit(
                self._records.domain_configurations.putting(name, after, expect=stored.version),
                *await self._held_authorizer(after),
            )
            return after

        return await settle(attempt)

    async def delete(self, name: str) -> None:
        """Remove a DISABLED configuration. AWS makes one wait seven days with names of its own; here nobody waits.

        Raises ResourceNotFound, InvalidRequest.
        """

        async def attempt() -> None:
            stored = await self._stored(name)
            if stored.value.status is DomainStatus.ENABLED:
                raise InvalidRequest(f"Domain configuration {name} must be DISABLED before it can be deleted")
            await self._records.commit(
                self._records.domain_configurations.deleting(name, expect=stored.version),
                self._records.domain_names.deleting(_folded(stored.value.domain_name)),
                self._records.tags.deleting(self.arn(stored.value)),
            )

        await settle(attempt)

    # --- the server's certificate -----------------------------------------------------------------------------------

    def is_served(self, configuration: DomainConfiguration) -> bool:
        """Whether the certificate that clients see bears the name."""
        name = _folded(configuration.domain_name)
        return name in self._served or f"*.{name.partition('.')[2]}" in self._served

    def certificate_detail(self, configuration: DomainConfiguration) -> str:
        """What clients of the name see, for a person."""
        own = "Fogbank serves every name with its own certificate"
        instead = " in place of the ACM certificate named here" if configuration.certificate_arns else ""
        if self.is_served(configuration):
            return f"{own}{instead}, which bears this one; clients must trust Fogbank's CA."
        return (
            f"{own}{instead}, which does not bear {configuration.domain_name}: clients that verify host names refuse "
            f"it. Start with `fogbank up --name {configuration.domain_name}`."
        )

    # --- checks -------------------------------------------------------------------------------------------------------

    async def _stored(self, name: str) -> Stored[DomainConfiguration]:
        stored = await self._records.domain_configurations.get(name)
        if stored is None:
            raise ResourceNotFound("The specified resource does not exist.")
        return stored

    async def _presence(self, named: str) -> Expect | None:
        """For tags: the configuration with this name and suffix."""
        name, _, suffix = named.partition("/")
        stored = await self._records.domain_configurations.get(name)
        if stored is None or stored.value.suffix != suffix:
            return None
        return self._records.domain_configurations.expecting(name, stored.version)

    async def _check_free(self, made: DomainConfiguration) -> None:
        there = await self._records.domain_configurations.get(made.name)
        if there is not None:
            raise ResourceAlreadyExists(
                "Domain configuration with given name already exists.",
                resourceId=made.name,
                resourceArn=self.arn(there.value),
            )
        owner = await self._records.domain_names.get(_folded(made.domain_name))
        if owner is not None:
            raise InvalidRequest(
                f"Domain name {made.domain_name} is that of domain configuration {owner.value.configuration}"
            )
        if self._limited and len(await self.all()) >= MAX_CONFIGURATIONS:
            raise LimitExceeded(
                f"The account has {MAX_CONFIGURATIONS} domain configurations, which is its quota; delete one first"
            )

    async def _held_authorizer(self, configuration: DomainConfiguration) -> list[Put]:
        """What fails the write where the authorizer it names goes away meanwhile. Raises InvalidRequest."""
        name = None if configuration.authorizer is None else configuration.authorizer.default
        if name is None:
            return []
        stored = await self._records.authorizers.get(name)
        if stored is None:
            raise InvalidRequest(f"defaultAuthorizerName: there is no authorizer {name}")
        return [held(self._records.authorizers, stored)]

    def _made_up(self, name: str) -> str:
        """A name below one that is served whole (`*.iot.example`), else one that resolves to this machine."""
        wildcards = sorted(one for one in self._served if one.startswith("*."))
        base = wildcards[0].removeprefix("*.") if wildcards else "localhost"
        label = re.sub(r"[^a-z0-9-]", "-", name.lower())[:63].strip("-") or "domain"
        return f"{label}.{base}"


def _folded(name: str) -> str:
    return name.lower().removesuffix(".")


def _checked(domain_name: str) -> str:
    if not _DOMAIN.fullmatch(_folded(domain_name)):
        raise InvalidRequest(f"domainName must be a fully qualified host name, not {domain_name[:256]!r}")
    return domain_name


def _check_pair(configuration: DomainConfiguration) -> None:
    authentication, protocol = configuration.authentication, configuration.protocol
    spoken = _SPOKEN.get(authentication)
    if spoken is None or protocol is ApplicationProtocol.DEFAULT or protocol in spoken:
        return
    raise InvalidRequest(
        f"authenticationType {authentication.value} cannot be used with applicationProtocol {protocol.value}; "
        f"it goes with {' or '.join(sorted(one.value for one in spoken))}"
    )
