"""Provisioning in memory: a registry, a function, connections, and all that onboards devices between them."""

from collections.abc import AsyncIterator

import pytest
from tests.registry.provisioning.stage import FLEET, ROLE, Connections, Functions, body

from fogbank.arns import Arns
from fogbank.ports import Documents
from fogbank.registry.provisioning.deadlines import Deadlines
from fogbank.registry.provisioning.fleet import FleetProvisioning
from fogbank.registry.provisioning.hooks import Hooks
from fogbank.registry.provisioning.ownership import OwnershipTokens
from fogbank.registry.provisioning.records import ProvisioningRecords
from fogbank.registry.registry import Registry
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
async def connections() -> Connections:
    return Connections()


@pytest.fixture
def trace(clock: FakeClock) -> Trace:
    return Trace(clock)


@pytest.fixture
def traced(trace: Trace) -> list[TraceEvent]:
    """Everything that is traced from now on."""
    events: list[TraceEvent] = []
    trace.listen(events.append)
    return events


@pytest.fixture
def provisioning_records(documents: Documents) -> ProvisioningRecords:
    return ProvisioningRecords(documents)


@pytest.fixture
def tokens(provisioning_records: ProvisioningRecords, clock: FakeClock) -> OwnershipTokens:
    return OwnershipTokens(provisioning_records, clock)


@pytest.fixture
async def hooks(functions: Functions, arns: Arns, clock: FakeClock, trace: Trace) -> AsyncIterator[Hooks]:
    hooks = Hooks(functions, arns, clock, trace)
    yield hooks
    await hooks.close()


@pytest.fixture
async def fleet(registry: Registry, tokens: OwnershipTokens, hooks: Hooks) -> AsyncIterator[FleetProvisioning]:
    fleet = FleetProvisioning(
        registry.certificates, registry.provisioning_templates, tokens, registry.provisioner, hooks
    )
    yield fleet
    await fleet.close()


@pytest.fixture
def deadlines(
    provisioning_records: ProvisioningRecords, registry: Registry, clock: FakeClock, fleet: FleetProvisioning
) -> Deadlines:
    return Deadlines(provisioning_records, registry.certificates, registry.thing_principals, clock, busy=fleet.busy)


@pytest.fixture
async def template(registry: Registry) -> str:
    """The name of an enabled template."""
    await registry.provisioning_templates.create("T", body(FLEET), ROLE, enabled=True)
    return "T"
