"""The APIs of the fleet index, and of what they need of the registry, behind boto3."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from tests.gateway.served import Served, serving
from tests.gateway.toy import ARNS
from tests.registry.index.fleet import Clients, Shadows
from tests.registry.published import Published

from fogbank.gateway.iot_dynamic_thing_groups import IotDynamicThingGroupsApi
from fogbank.gateway.iot_fleet_metrics import IotFleetMetricsApi
from fogbank.gateway.iot_indexing import IotIndexingApi
from fogbank.gateway.iot_tags import IotTagsApi
from fogbank.gateway.iot_thing_groups import IotThingGroupsApi
from fogbank.gateway.iot_things import IotThingsApi
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.fleet_metrics import FleetMetric, FleetMetrics
from fogbank.registry.index.service import IndexService
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock


class FleetApi:
    """boto3's client, and what is behind it."""

    def __init__(self, served: Served, index: IndexService, shadows: Shadows) -> None:
        self._served = served
        self.index = index
        self.shadows = shadows

    async def call(self, operation: str, **params: Any) -> Any:
        return await self._served.call(operation, **params)

    async def refused(self, operation: str, **params: Any) -> tuple[int, str, str]:
        """Status, code and message of the error that the call ends in."""
        try:
            answer = await self.call(operation, **params)
        except ClientError as error:
            found = error.response
            return found["ResponseMetadata"]["HTTPStatusCode"], found["Error"]["Code"], found["Error"]["Message"]
        raise AssertionError(f"{operation} was not refused: {answer}")

    async def settle(self) -> None:
        """Until everything is indexed and all groups are filled."""
        await self.index.settled()
        await self.index.dynamic_groups.filled()
        await self.index.settled()


@asynccontextmanager
async def fleet_api(
    tmp_path: Path, followed: Callable[[str, FleetMetric | None], None] = lambda name, metric: None
) -> AsyncIterator[FleetApi]:
    """Served by a registry in memory; the clock stands still."""
    clock, documents, shadows = FakeClock(), MemoryDocuments(), Shadows()
    clients = Clients(clock)
    issuer = await asyncio.to_thread(lambda: OwnCa(tmp_path / "ca", clock).devices)
    registry = Registry(documents, ARNS, clock, issuer, Published())
    index = IndexService(
        FleetIndex(tmp_path / "index"),
        documents,
        registry.records,
        registry.changes,
        registry.thing_groups,
        clock,
        shadows=shadows,
        subscriptions=clients,
        look=clients.presences.get,
    )
    await index.start()
    metrics = FleetMetrics(documents, index, registry.tags, ARNS, clock, followed)
    apis: list[object] = [
        IotThingsApi(registry),
        IotThingGroupsApi(registry),
        IotTagsApi(registry),
        IotIndexingApi(index),
        IotDynamicThingGroupsApi(index.dynamic_groups, registry),
        IotFleetMetricsApi(metrics),
    ]
    async with serving(apis) as served:
        yield FleetApi(served, index, shadows)
    await index.close()
    await registry.close()


def named(fields: list[Mapping[str, str]]) -> dict[str, str]:
    """Types by name."""
    return {one["name"]: one["type"] for one in fields}
