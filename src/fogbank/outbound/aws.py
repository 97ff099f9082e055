"""Calls to services that speak AWS's APIs, at the endpoints the operator has named or, where asked for, at AWS."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fogbank.clock import Clock
from fogbank.outbound.credentials import CredentialChain
from fogbank.outbound.endpoints import obstacle
from fogbank.outbound.service import Service
from fogbank.ports import HttpTargets, OutboundError
from fogbank.settings import Endpoints


class AwsClient:
    """Calls operations by their names in botocore's models. Port AwsServices."""

    def __init__(
        self, endpoints: Endpoints, region: str, credentials: CredentialChain, http: HttpTargets, clock: Clock
    ) -> None:
        self._endpoints = endpoints
        self._region = region
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._services: dict[str, Service] = {}
        self._cells: dict[str, tuple[Service, float]] = {}
        self._loading = asyncio.Lock()

    def obstacle(self, service: str) -> str | None:
        """Port AwsServices."""
        return obstacle(self._endpoints, service)

    def url(self, service: str) -> str | None:
        """Port AwsServices."""
        return self._endpoints.url(service)

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Port AwsServices."""
        wire = self._services.get(service) or await self._load(service)
        credentials = await self._credentials.get()
        if wire.discovers:
            wire = await self._discovered(wire, credentials)
        answer = await self._http.send(wire.encode(operation, dict(params), credentials, self._clock.time()))
        return wire.decode(operation, answer)

    async def _discovered(self, wire: Service, credentials: Any) -> Service:
        """The service at the endpoint that it names itself, for as long as it says that this holds."""
        cell, until = self._cells.get(wire.name, (wire, 0.0))
        if self._clock.monotonic() < until:
            return cell
        answer = await self._http.send(wire.encode("DescribeEndpoints", {}, credentials, self._clock.time()))
        [endpoint, *_] = wire.decode("DescribeEndpoints", answer)["Endpoints"]
        cell = await asyncio.to_thread(Service, wire.name, self._region, f"https://{endpoint['Address']}")
        self._cells[wire.name] = (cell, self._clock.monotonic() + endpoint["CachePeriodInMinutes"] * 60)
        return cell

    async def _load(self, service: str) -> Service:
        if (missing := obstacle(self._endpoints, service)) is not None:
            raise OutboundError(missing, code="NoEndpoint")
        async with self._loading:
            if service not in self._services:
                endpoint = self._endpoints.url(service)
                self._services[service] = await asyncio.to_thread(Service, service, self._region, endpoint)
        return self._services[service]
