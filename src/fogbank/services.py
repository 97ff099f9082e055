"""All services of an instance, introduced to one another; nothing else knows them all.

They start from the ground up, and close from the top down in two steps: first what clients are connected to, then what
is under way, and storage last, so that nothing acknowledged is lost.
"""

import asyncio
from collections.abc import Callable

import msgspec

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.clock import Clock
from fogbank.functions.service import FunctionService
from fogbank.gateway.audit import Audit
from fogbank.gateway.iot_endpoint import Endpoint
from fogbank.gateway.iot_thing_groups import IotThingGroupsApi
from fogbank.gateway.iot_things import IotThingsApi
from fogbank.gateway.registry_data import RegistryData
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.iam.iam import Iam
from fogbank.identity.reception import Reception
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.service import JobService
from fogbank.outbound import Outbound
from fogbank.registry.index.engine import FleetIndex
from fogbank.registry.index.fleet_metric_runs import FleetMetricRuns
from fogbank.registry.index.fleet_metrics import FleetMetrics
from fogbank.registry.index.service import IndexService
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.provisioning.bulk import BulkRegistrations
from fogbank.registry.provisioning.onboarding import Onboarding
from fogbank.registry.provisioning.topics import CERTIFICATES, TEMPLATES
from fogbank.registry.registry import Registry
from fogbank.registry.server_certificate import server_names
from fogbank.rules.actions.base import Outside
from fogbank.rules.destinations import Destinations
from fogbank.rules.engine import RuleEngine
from fogbank.rules.ingest import PREFIX as BASIC_INGEST
from fogbank.rules.outside import Answering
from fogbank.rules.service import TopicRules
from fogbank.settings import AccessKey, Limits, Settings
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.service import ShadowService
from fogbank.shadows.subscriber import ShadowSubscriber
from fogbank.storage import open_store
from fogbank.trace import Trace

DRAIN = 10.0
"""Seconds that rule actions under way have to finish on shutdown."""


class Addresses(msgspec.Struct, frozen=True):
    """Where the instance is reached: asked when it is needed, since ports may be chosen late."""

    api: Callable[[], str]
    """The URL of the HTTP API, from here."""
    public: Callable[[], str]
    """And from elsewhere: by the first name that the instance was given."""
    endpoint: Callable[[], Endpoint]
    """Where devices connect."""


class Services:
    """The services of one instance."""

    def __init__(self, settings: Settings, clock: Clock, addresses: Addresses) -> None:
        """Opens the data directory. Raises StorageError where that is not possible."""
        self.settings = settings
        self.clock = clock
        self.addresses = addresses
        self.arns = arns = Arns(settings.region, settings.account_id)
        self.trace = trace = Trace(clock)
        self.store = open_store(settings.data_dir)
        documents = self.store.documents
        self.access_keys = AccessKeys(documents, clock)
        self.iam = Iam(documents, self.access_keys, arns, clock, check_roles=settings.check_roles)
        passphrase = None if settings.ca_passphrase is None else settings.ca_passphrase.text
        self.ca = OwnCa(settings.data_dir / "ca", clock, passphrase)
        loop, backlogs = asyncio.get_running_loop(), self.store.backlogs
        self.broker = Broker(
            arns,
            settings.limits,
            clock,
            trace,
            loop,
            documents,
            backlogs,
            connections_per_principal=settings.connections_per_principal,
        )
        router = self.broker.router
        self.registry = Registry(
            documents,
            arns,
            clock,
            self.ca.devices,
            router,
            rates_bind=settings.limits is Limits.STRICT,
            roles=self.iam.role_rights,
        )
        shadow_limits = ShadowLimits.of(settings.limits)
        self.shadows = ShadowService(documents, router, clock, trace, shadow_limits)
        self.shadow_subscriber = ShadowSubscriber(self.shadows, trace, shadow_limits)
        self.functions = FunctionService(
            documents,
            self.store.queue,
            self.store.blobs,
            arns,
            clock,
            trace,
            settings.data_dir / "functions",
            lambda: {"AWS_ENDPOINT_URL": addresses.api()},
            private=(settings.data_dir,),
            roles=self.iam.execution_roles,
        )
        self.audit = audit = Audit(self.store.audit, arns, clock)
        self.onboarding = Onboarding(
            self.registry,
            documents,
            self.broker.direct,
            self.functions,
            arns,
            clock,
            trace,
            settings.limits,
            audit.of_device,
        )
        for prefix in (CERTIFICATES, TEMPLATES):
            router.reserve(prefix, self.onboarding.subscriber, answers=True)
        self.outbound = out = Outbound(settings.endpoints, settings.region, clock)
        self.destinations = Destinations(documents, out.http, arns, clock, addresses.public)
        roles = self.iam.role_rights
        self.registrations = BulkRegistrations(
            documents,
            self.store.blobs,
            self.registry.provisioner,
            out.aws,
            clock,
            partition=arns.partition,
            rights=roles,
        )
        self.index = IndexService(
            FleetIndex(settings.data_dir / "index"),
            documents,
            self.registry.records,
            self.registry.changes,
            self.registry.thing_groups,
            clock,
            shadows=self.shadows,
            subscriptions=router,
            look=self.broker.connections.presence,
        )
        self.metric_runs = runs = FleetMetricRuns(self.index, out.aws, clock)
        self.fleet_metrics = FleetMetrics(documents, self.index, self.registry.tags, arns, clock, runs.follow)
        registry_data = RegistryData(IotThingsApi(self.registry), IotThingGroupsApi(self.registry)).answer
        self.answering = Answering(self.functions, self.shadows, registry_data, out.aws, roles, arns, clock)
        self.rules = RuleEngine(
            documents,
            router,
            router,
            self.functions,
            arns,
            clock,
            trace,
            outside=Outside(out.aws, out.http, out.kafka, self.destinations, roles),
            answering=self.answering,
            spool=self.broker.spool,
        )
        self.jobs = JobService(
            documents,
            router,
            self.broker.direct,
            self.registry.fleet,
            self.registry.events,
            self.registry.tags,
            JobDocuments(out.aws, out.urls, roles, trace),
            arns,
            clock,
            trace,
            JobLimits.of(settings.limits),
        )
        router.reserve(BASIC_INGEST, self.rules.ingest)
        max_rules = None if settings.limits is Limits.OPEN else 1000
        self.topic_rules = TopicRules(
            documents,
            self.rules,
            arns,
            clock,
            tags=self.registry.tags,
            destinations=self.destinations,
            max_rules=max_rules,
        )
        names = server_names(settings.host, settings.names)
        self.server = self.ca.server(names)
        self.reception = Reception(
            documents,
            self.registry.principals,
            self.functions,
            self.access_keys.get,
            arns,
            clock,
            trace,
            served=names,
            tags=self.registry.tags,
            limited=settings.limits is not Limits.OPEN,
            signers=self.iam.signers,
            newcomers=self.registry.just_in_time,
        )

    async def start(self) -> AccessKey:
        """Bring everything up but what needs the listeners; the root's first access key."""
        first_key = await self.access_keys.ensure_first(self.settings.access_key)
        await self.iam.load()
        self.registry.principals.watch(self.broker.principals_changed)
        self.iam.watch(self.broker.principals_changed)
        await self.broker.start()
        self.registry.start()
        self.onboarding.start()
        self.shadows.start()
        await self.index.start()
        self.metric_runs.start(await self.fleet_metrics.all())
        self.shadow_subscriber.subscribe(self.broker.router)
        await self.functions.load()
        await self.destinations.start()
        await self.rules.start()
        await self.jobs.start(self.broker.router)
        return first_key

    async def resume(self) -> None:
        """Go on with what an earlier run had accepted: from now on, the listeners are where they are."""
        await self.functions.resume()
        self.rules.resume()
        await self.registrations.resume()

    async def send_away(self) -> None:
        """Disconnect all clients. Jobs end before, while sessions still take what things are to be told."""
        await self.jobs.close(self.broker.router)
        await self.broker.close()

    async def close(self) -> None:
        """End what is under way, and close storage."""
        await self.registrations.close()
        await self.reception.close()
        await self.topic_rules.close()
        try:
            await asyncio.wait_for(self.rules.drain(), DRAIN)
        except TimeoutError:
            pass  # a target that hangs does not keep the platform from ending
        await self.rules.close()
        await self.answering.close()
        await self.metric_runs.close()
        await self.destinations.close()
        await self.outbound.close()
        await self.onboarding.close()
        await self.functions.close()
        self.shadow_subscriber.unsubscribe(self.broker.router)
        await self.shadows.close()
        await self.index.settled()  # what was heard last need not be looked for at the next start
        await self.index.close()
        await self.registry.close()
        await self.iam.close()
        await self.store.close()
