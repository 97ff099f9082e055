"""A running broker, as whoever drives it sees it."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from bench.credentials import Credentials


class Setup(msgspec.Struct, frozen=True):
    """What a broker is started for."""

    tls: bool = False
    """It also listens for mutual TLS."""
    persistent: bool = False
    """It keeps sessions over a restart, where that is a choice."""
    environment: Mapping[str, str] = {}
    """Variables that its process gets besides ours."""


class Endpoint(msgspec.Struct, frozen=True):
    """A port on loopback, the process behind it, and what a client proves itself by there; None: plain TCP."""

    port: int
    pid: int
    client: Credentials | None = None


class Api(msgspec.Struct, frozen=True):
    """Where AWS's APIs are spoken, and what requests are signed with there."""

    url: str
    region: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str) -> Any:
        """boto3's client of a service, loaded only where one is needed: that takes a second."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """A running broker."""

    name: str
    version: str
    plain: Endpoint
    secure: Endpoint | None
    api: Api | None = None
    """None where it has no rules to be managed."""

    def endpoint(self, *, tls: bool) -> Endpoint | None:
        """Where such a scenario goes; None where the broker has no such thing."""
        return self.secure if tls else self.plain


Starter = Callable[[Path, Collection[int] | None, Setup], AbstractContextManager[Broker]]
"""Starts a broker on a directory that it may have used before, on these cores (None: any)."""
