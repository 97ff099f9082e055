"""What identity keeps: authorizers, which of them is the default, domain configurations, and whose a domain name is."""

import enum
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from fogbank.errors import ServiceUnavailable
from fogbank.ports import Documents, Put, ResourceTags, StaleVersion
from fogbank.storage.collection import Collection, Stored

T = TypeVar("T")

ATTEMPTS = 256
"""How often a writer looks again where others are quicker, before its caller is asked to come back."""


class AuthorizerStatus(enum.Enum):
    """Only an ACTIVE authorizer lets clients in."""

    ACTIVE = "ACTIVE"
    INACTIVE = "INACTIVE"


class Authorizer(msgspec.Struct, frozen=True, kw_only=True):
    """A custom authorizer. Times are seconds since the epoch, here and below."""

    name: str
    function_arn: str
    created: float
    modified: float
    status: AuthorizerStatus = AuthorizerStatus.ACTIVE
    token_key_name: str | None = None
    """Under which header, query parameter or part of the MQTT user name the token comes."""
    public_keys: Mapping[str, str] = {}
    """PEM by name: those that tokens may be signed for."""
    signing_disabled: bool = False
    caching_for_http: bool = False


class DefaultAuthorizer(msgspec.Struct, frozen=True):
    """The authorizer of clients that name none: one document, where there is one."""

    name: str


class AuthenticationType(enum.Enum):
    """How clients of a domain name prove who they are."""

    CUSTOM_AUTH_X509 = "CUSTOM_AUTH_X509"
    CUSTOM_AUTH = "CUSTOM_AUTH"
    AWS_X509 = "AWS_X509"
    AWS_SIGV4 = "AWS_SIGV4"
    DEFAULT = "DEFAULT"


class ApplicationProtocol(enum.Enum):
    """What clients of a domain name speak."""

    SECURE_MQTT = "SECURE_MQTT"
    MQTT_WSS = "MQTT_WSS"
    HTTPS = "HTTPS"
    DEFAULT = "DEFAULT"


class DomainStatus(enum.Enum):
    """Whether clients that ask for the domain name are served."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


class AuthorizerConfig(msgspec.Struct, frozen=True):
    """A domain configuration's own default authorizer, and whether its clients may name another."""

    default: str | None = None
    override: bool = False


class DomainConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for clients that ask for one host name in TLS (SNI)."""

    name: str
    suffix: str
    """What AWS appends to the name in the ARN, so that one which is made again is another."""
    domain_name: str
    customer_managed: bool
    status: DomainStatus
    status_changed: float
    authentication: AuthenticationType = AuthenticationType.DEFAULT
    protocol: ApplicationProtocol = ApplicationProtocol.DEFAULT
    authorizer: AuthorizerConfig | None = None
    certificate_arns: tuple[str, ...] = ()
    validation_certificate_arn: str | None = None
    security_policy: str | None = None


class DomainName(msgspec.Struct, frozen=True):
    """Whose a host name is; its key is the name in lower case."""

    configuration: str


class RoleAlias(msgspec.Struct, frozen=True, kw_only=True):
    """A role under a name of its own, for the credential provider: devices name the alias, and the role may change."""

    name: str
    role_arn: str
    duration: int
    """Seconds that credentials hold."""
    created: float
    modified: float


class Records:
    """Identity's collections."""

    def __init__(self, documents: Documents, tags: ResourceTags) -> None:
        self.commit = documents.commit
        self.tags = tags
        self.authorizers = Collection(documents, "authorizer", Authorizer)
        self.default_authorizer = Collection(documents, "default-authorizer", DefaultAuthorizer)
        self.domain_configurations = Collection(
            documents, "domain-configuration", DomainConfiguration, indexes=_domain_configuration_indexes
        )
        self.domain_names = Collection(documents, "domain-name", DomainName)
        self.role_aliases = Collection(documents, "role-alias", RoleAlias)


def held(collection: Collection[Any], stored: Stored[Any]) -> Put:
    """The write that lets a batch succeed only while `stored` is as it was read, and whose like excludes it."""
    return collection.putting(stored.key, stored.value, expect=stored.version)


async def settle(attempt: Callable[[], Awaitable[T]]) -> T:
    """Run `attempt` (read, check, commit) until nobody was quicker. Raises ServiceUnavailable where that never ends."""
    for _ in range(ATTEMPTS):
        try:
            return await attempt()
        except StaleVersion as stale:
            met = stale
    raise ServiceUnavailable(f"Too many concurrent changes of {met.kind} {met.key}; try again")


def _domain_configuration_indexes(one: DomainConfiguration) -> dict[str, tuple[str, ...]]:
    named = None if one.authorizer is None else one.authorizer.default
    return {"authorizer": () if named is None else (named,)}
