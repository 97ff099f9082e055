"""pytest plugin: moto's own tests in server mode, with Fogbank in moto's place.

An instance is one account in one region, and moto's tests ask for many: each test gets fresh instances, one for every
region that it makes a client for. What Fogbank does not serve goes to a moto server in this process.
"""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto.core.models import ServerModeMockAWS
from moto.server import ThreadedMotoServer

from fogbank.cli.demo.server import Server
from fogbank.ready import Ready

SERVED = frozenset({"iot", "iot-data", "iot-jobs-data", "lambda", "iam", "sts"})
REGION = "us-east-1"


class Instances:
    """Those of the test that runs."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Server, TemporaryDirectory[str]]] = {}
        self._moto: ThreadedMotoServer | None = None

    def options(self, service: str, region: str | None) -> dict[str, str]:
        """What makes a boto3 client talk to Fogbank, or to moto where Fogbank has no such service."""
        if service not in SERVED:
            return {"endpoint_url": self._moto_url()}
        where = self._instance(region or REGION)
        return {
            "endpoint_url": where.api,
            "aws_access_key_id": where.access_key_id,
            "aws_secret_access_key": where.secret_access_key,
        }

    def reset(self) -> None:
        """Forget everything, as each test of moto's begins."""
        for server, directory in self._running.values():
            server.stop()
            directory.cleanup()
        self._running.clear()

    def close(self) -> None:
        self.reset()
        if self._moto is not None:
            self._moto.stop()

    def _instance(self, region: str) -> Ready:
        if region not in self._running:
            directory = TemporaryDirectory(prefix="fogbank-moto-")
            place = Path(directory.name)
            server = Server(place / "data", place / "server.log", "--region", region)
            self._running[region] = server, directory
            server.start()
        return self._running[region][0].where

    def _moto_url(self) -> str:
        if self._moto is None:
            self._moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            self._moto.start()
        host, port = self._moto.get_host_and_port()
        return f"http://{host}:{port}"


instances = Instances()
_patches: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    """Take moto's place: what it would send to its own server comes to ours."""
    _patches.extend(
        (
            patch.object(ServerModeMockAWS, "reset", lambda _: instances.reset()),
            patch.object(ServerModeMockAWS, "_enable_patching", _enable_patching),
        )
    )
    for one in _patches:
        one.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    for one in _patches:
        one.stop()
    instances.close()


def _enable_patching(self: Any, reset: bool = True) -> None:
    if type(self)._nested_count == 1 and reset:
        instances.reset()
    self._client_patcher = patch("boto3.client", _directed(boto3.client))
    self._resource_patcher = patch("boto3.resource", _directed(boto3.resource))
    self._client_patcher.start()
    self._resource_patcher.start()


def _directed(make: Callable[..., Any]) -> Callable[..., Any]:
    def directed(service_name: str, region_name: str | None = None, **options: Any) -> Any:
        known = instances.options(service_name, region_name or os.environ.get("AWS_DEFAULT_REGION"))
        return make(service_name, region_name=region_name, **(known | options))

    return directed
