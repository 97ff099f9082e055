"""A running broker, as whoever drives it sees it."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from bench.credentials import Credentials


class Setup(msgspec.Struct, frozen=True):
    """What a broker is started for."""

    tls: bool = False
    """It also listens for mutual TLS."""
    persistent: bool = False
    """It keeps sessions over a restart, where that is a choice."""


class Endpoint(msgspec.Struct, frozen=True):
    """A port on loopback, the process behind it, and what a client proves itself by there; None: plain TCP."""

    port: int
    pid: int
    client: Credentials | None = None


class Broker(msgspec.Struct, frozen=True, kw_only=True):
    """A running broker."""

    name: str
    version: str
    plain: Endpoint
    secure: Endpoint | None

    def endpoint(self, *, tls: bool) -> Endpoint | None:
        """Where such a scenario goes; None where the broker has no such thing."""
        return self.secure if tls else self.plain


Starter = Callable[[Path, Collection[int] | None, Setup], AbstractContextManager[Broker]]
"""Starts a broker on a directory that it may have used before, on these cores (None: any)."""
