"""What `fogbank up` can be told. Values only: reading flags and environment is the CLI's part."""

import enum
from collections.abc import Mapping
from pathlib import Path

import msgspec


class Limits(enum.Enum):
    """How far AWS IoT's quotas bind."""

    AWS = "aws"
    """Its refusals, sizes and depths; who passes one of its rates is served, and warned of once."""
    STRICT = "strict"
    """The rates too: what is more is discarded, refused or delayed, as AWS does."""
    OPEN = "open"
    """Only what MQTT itself limits."""


class AccessKey(msgspec.Struct, frozen=True):
    """An access key pair. The secret stays out of `repr` and so out of logs."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"AccessKey(id={self.id!r}, secret=...)"


class Secret(msgspec.Struct, frozen=True):
    """A text that stays out of `repr` and so out of logs."""

    text: str

    def __repr__(self) -> str:
        return "Secret(...)"


class Endpoints(msgspec.Struct, frozen=True, kw_only=True):
    """Where the AWS-compatible services are that the platform calls: nowhere, unless the operator says so.

    A rule must never reach an account by accident, so AWS itself is called only where that was asked for by name.
    """

    urls: Mapping[str, str] = {}
    """By botocore's name of the service."""
    default: str | None = None
    """Of all services that are not in `urls`."""
    aws: bool = False
    """Whether services without an endpoint are AWS's own."""

    def url(self, service: str) -> str | None:
        """Where `service` is; None: at AWS, or nowhere."""
        return self.urls.get(service, self.default)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an instance is configured by. A port of 0 means any free one."""

    data_dir: Path
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    """Host names and addresses that devices reach this instance by; the server's certificate bears them all, and the
    first is the endpoint address. Without any, what `host` says."""
    api_port: int = 4566
    mqtt_port: int = 8883
    https_port: int = 8443
    plain_mqtt_port: int | None = None
    """MQTT without TLS on loopback, off unless given."""
    plain_policy: Path | None = None
    """The IoT policy document of the plain listener's nameless clients; None allows everything."""
    region: str = "us-east-1"
    account_id: str = "123456789012"
    access_key: AccessKey | None = None
    """None: made on first start and kept in the data directory."""
    limits: Limits = Limits.AWS
    connections_per_principal: int | None = None
    """MQTT connections that one certificate, access key or token holder may have at once; None: any number."""
    endpoints: Endpoints = Endpoints()
    """Of the services that rules call."""
    check_roles: bool = False
    """Whether the roles of rules are checked even while the account has neither a role nor a user."""
    ca_passphrase: Secret | None = None
    """Encrypts the CA's keys; None: one of our own making, kept in the data directory."""
    ready_file: Path | None = None
