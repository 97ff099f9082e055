"""The composition root: the whole wiring on one screen.

`Platform` builds every service, introduces them to one another and opens the listeners; nothing else knows them all.
Start goes from the ground up (storage, services, edges), close from the top down: first nobody comes in any more, then
clients are sent away, then what is under way ends, and storage last, so that nothing acknowledged is lost.
"""

import asyncio
import os
from pathlib import Path
from typing import Self

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.clock import Clock, SystemClock
from fogbank.functions.service import FunctionService
from fogbank.gateway.access_control import AccessControl
from fogbank.gateway.audit import Audit
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.iam_policies import IamPoliciesApi
from fogbank.gateway.iam_roles import IamRolesApi
from fogbank.gateway.iam_simulation import IamSimulationApi
from fogbank.gateway.iam_users import IamUsersApi
from fogbank.gateway.iot_authorization import IotAuthorizationApi
from fogbank.gateway.iot_authorizers import IotAuthorizersApi
from fogbank.gateway.iot_billing_groups import IotBillingGroupsApi
from fogbank.gateway.iot_ca_certificates import IotCaCertificatesApi
from fogbank.gateway.iot_certificate_transfers import IotCertificateTransfersApi
from fogbank.gateway.iot_certificates import IotCertificatesApi
from fogbank.gateway.iot_connections import IotConnectionsApi
from fogbank.gateway.iot_connectivity import IotConnectivityApi
from fogbank.gateway.iot_domain_configurations import IotDomainConfigurationsApi
from fogbank.gateway.iot_dynamic_thing_groups import IotDynamicThingGroupsApi
from fogbank.gateway.iot_endpoint import Endpoint, IotEndpointApi
from fogbank.gateway.iot_events import IotEventsApi
from fogbank.gateway.iot_fleet_metrics import IotFleetMetricsApi
from fogbank.gateway.iot_indexing import IotIndexingApi
from fogbank.gateway.iot_job_executions import IotJobExecutionsApi
from fogbank.gateway.iot_job_templates import IotJobTemplatesApi
from fogbank.gateway.iot_jobs import IotJobsApi
from fogbank.gateway.iot_jobs_data import IotJobsDataApi
from fogbank.gateway.iot_policies import IotPoliciesApi
from fogbank.gateway.iot_provisioning_claims import IotProvisioningClaimsApi
from fogbank.gateway.iot_provisioning_templates import IotProvisioningTemplatesApi
from fogbank.gateway.iot_publish import IotPublishApi
from fogbank.gateway.iot_retained import IotRetainedApi
from fogbank.gateway.iot_role_aliases import IotRoleAliasesApi
from fogbank.gateway.iot_rule_destinations import IotRuleDestinationsApi
from fogbank.gateway.iot_rules import IotRulesApi
from fogbank.gateway.iot_search import IotSearchApi
from fogbank.gateway.iot_shadows import IotShadowsApi
from fogbank.gateway.iot_tags import IotTagsApi
from fogbank.gateway.iot_thing_groups import IotThingGroupsApi
from fogbank.gateway.iot_thing_registration import IotThingRegistrationApi
from fogbank.gateway.iot_thing_types import IotThingTypesApi
from fogbank.gateway.iot_things import IotThingsApi
from fogbank.gateway.lambda_ import LambdaApi
from fogbank.gateway.metrics import MetricsPage
from fogbank.gateway.pages import ca_page
from fogbank.gateway.pipeline import Gateway
from fogbank.gateway.registry_data import RegistryData
from fogbank.gateway.revocation_lists import RevocationLists
from fogbank.gateway.rule_tests import RuleTests
from fogbank.gateway.sts import StsApi
from fogbank.identity.access_keys import AccessKeys
from fogbank.identity.credential_provider import CredentialProvider
from fogbank.identity.iam.iam import Iam
from fogbank.identity.reception import Reception
from fogbank.jobs.documents import JobDocuments
from fogbank.jobs.limits import JobLimits
from fogbank.jobs.service import JobService
from fogbank.outbound import Outbound
from fogbank.ready import Address, Ready
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
from fogbank.rules.rehearsal import Rehearsal
from fogbank.rules.service import TopicRules
from fogbank.settings import AccessKey, Limits, Settings
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.service import ShadowService
from fogbank.shadows.subscriber import ShadowSubscriber
from fogbank.storage import open_store
from fogbank.trace import Trace
from fogbank.transport.http import HttpServer
from fogbank.transport.listener import Entrance, Listener
from fogbank.transport.peer import PlainPrincipals
from fogbank.transport.tls import server_context

DRAIN = 10.0
"""Seconds that rule actions under way have to finish on shutdown."""


class Platform:
    """A Fogbank instance in this process: `async with Platform(settings) as platform: ...`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        """Opens the data directory. Raises StorageError where that is not possible."""
        self.settings = settings
        self.clock = clock = clock or SystemClock()
        self.arns = arns = Arns(settings.region, settings.account_id)
        self.trace = trace = Trace(clock)
        self._first_key = AccessKey("", "")
        self._reach = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host  # noqa: S104

        self._store = open_store(settings.data_dir)
        documents = self._store.documents
        self._access_keys = AccessKeys(documents, clock)
        self.iam = Iam(documents, self._access_keys, arns, clock, check_roles=settings.check_roles)
        passphrase = None if settings.ca_passphrase is None else settings.ca_passphrase.text
        self._ca = OwnCa(settings.data_dir / "ca", clock, passphrase)
        loop, backlogs = asyncio.get_running_loop(), self._store.backlogs
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
            self._ca.devices,
            router,
            rates_bind=settings.limits is Limits.STRICT,
            roles=self.iam.role_rights,
        )
        shadow_limits = ShadowLimits.of(settings.limits)
        self.shadows = ShadowService(documents, router, clock, trace, shadow_limits)
        self._shadow_subscriber = ShadowSubscriber(self.shadows, trace, shadow_limits)
        self.functions = FunctionService(
            documents,
            self._store.queue,
            self._store.blobs,
            arns,
            clock,
            trace,
            settings.data_dir / "functions",
            self._environment_variables,
            private=(settings.data_dir,),
            roles=self.iam.execution_roles,
        )
        audit = Audit(self._store.audit, arns, clock)
        self._onboarding = Onboarding(
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
            router.reserve(prefix, self._onboarding.subscriber, answers=True)
        self._outbound = out = Outbound(settings.endpoints, settings.region, clock)
        self.destinations = Destinations(documents, out.http, arns, clock, lambda: self.public_url)
        roles = self.iam.role_rights
        self._registrations = BulkRegistrations(
            documents,
            self._store.blobs,
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
        self._metric_runs = runs = FleetMetricRuns(self.index, out.aws, clock)
        self.fleet_metrics = FleetMetrics(documents, self.index, self.registry.tags, arns, clock, runs.follow)
        things, thing_groups = IotThingsApi(self.registry), IotThingGroupsApi(self.registry)
        registry_data = RegistryData(things, thing_groups).answer
        self._answering = Answering(self.functions, self.shadows, registry_data, out.aws, roles, arns, clock)
        self.rules = RuleEngine(
            documents,
            router,
            router,
            self.functions,
            arns,
            clock,
            trace,
            outside=Outside(out.aws, out.http, out.kafka, self.destinations, roles),
            answering=self._answering,
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
        self._topic_rules = TopicRules(
            documents,
            self.rules,
            arns,
            clock,
            tags=self.registry.tags,
            destinations=self.destinations,
            max_rules=max_rules,
        )
        rule_destinations = IotRuleDestinationsApi(self.destinations)

        principals = self.registry.principals
        rights, quotas = DeviceRights(principals, arns, trace), self.broker.quotas
        access = AccessControl(self.iam, arns, self.registry.tags.of)
        lambda_api = LambdaApi(self.functions, arns, lambda: self.api_url)
        names = server_names(settings.host, settings.names)
        server = self._ca.server(names)
        self.ca_file: Path = server.ca
        self.reception = Reception(
            documents,
            principals,
            self.functions,
            self._access_keys.get,
            arns,
            clock,
            trace,
            served=names,
            tags=self.registry.tags,
            limited=settings.limits is not Limits.OPEN,
            signers=self.iam.signers,
            newcomers=self.registry.just_in_time,
        )
        aliases = self.reception.role_aliases
        provider = CredentialProvider(aliases, self.iam.sts, principals, arns, trace)
        role_aliases = IotRoleAliasesApi(aliases, provider, arns.account)
        thing_registration = IotThingRegistrationApi(
            self.registry.provisioner,
            self._registrations,
            access.pass_roles,
            access.allow_to,
            lambda: self.public_url,
            clock,
        )
        self._gateway = Gateway(
            [
                things,
                IotThingTypesApi(self.registry),
                thing_groups,
                IotDynamicThingGroupsApi(self.index.dynamic_groups, self.registry),
                IotBillingGroupsApi(self.registry),
                IotTagsApi(self.registry),
                IotConnectivityApi(self.registry, self.broker.connections),
                IotCertificatesApi(self.registry),
                IotCaCertificatesApi(self.registry),
                IotCertificateTransfersApi(self.registry),
                thing_registration,
                IotPoliciesApi(self.registry),
                IotProvisioningTemplatesApi(self.registry),
                IotProvisioningClaimsApi(self.registry),
                IotAuthorizationApi(self.registry),
                IotAuthorizersApi(self.reception.authorizers, self.reception.judge),
                IotDomainConfigurationsApi(self.reception.domains),
                IotEndpointApi(self._endpoint),
                role_aliases,
                IotEventsApi(self.registry),
                IotIndexingApi(self.index),
                IotSearchApi(self.index),
                IotFleetMetricsApi(self.fleet_metrics),
                IotRulesApi(self._topic_rules, access.pass_roles),
                rule_destinations,
                IotShadowsApi(self.shadows, rights, clock),
                IotJobsApi(self.jobs, clock, access.allow_to),
                IotJobExecutionsApi(self.jobs, arns, clock),
                IotJobTemplatesApi(self.jobs, access.allow_to),
                IotJobsDataApi(self.jobs, rights, clock),
                IotPublishApi(router, rights, quotas, clock, trace, self.broker.rates),
                IotRetainedApi(self.broker.retained, rights),
                IotConnectionsApi(
                    self.broker.connections, self.broker.direct, rights, quotas, clock, trace, self.broker.rates
                ),
                lambda_api,
                IamUsersApi(self.iam),
                IamRolesApi(self.iam),
                IamPoliciesApi(self.iam),
                IamSimulationApi(self.iam),
                StsApi(self.iam, arns),
            ],
            arns=arns,
            clock=clock,
            access_keys=self._access_keys.get,
            recheck=principals.recheck,
            trace=trace,
            desk=self.reception.desk,
            signers=self.iam.signers,
            access=access,
            audit=audit,
            pages=[
                ca_page(self.ca_file.read_bytes),
                lambda_api.code_page,
                rule_destinations.confirmation_page,
                role_aliases.credentials_page,
                *thing_registration.pages,
                RuleTests(self._topic_rules, Rehearsal(self.functions, arns, clock)).page,
                RevocationLists(self.registry.revocation).page,
                MetricsPage(
                    self.broker.metrics,
                    lambda: self.rules.counters,
                    lambda: self.rules.ingest.not_found,
                    lambda: self._metric_runs.figures,
                ).page,
            ],
        )
        self._http = HttpServer(self._gateway)
        self._entrance = Entrance(self.broker, self._http.protocol, principals, self.reception.desk)
        tls = self._entrance.tls(server_context(server.certificate, server.key))
        self.api = Listener("the HTTP API", settings.host, settings.api_port, self._entrance.http())
        self.mqtts = Listener("MQTT over TLS", settings.host, settings.mqtt_port, tls)
        self.https = Listener("HTTPS", settings.host, settings.https_port, tls)
        self.plain_mqtt: Listener | None = None
        if settings.plain_mqtt_port is not None:
            policy = None if settings.plain_policy is None else settings.plain_policy.read_text()
            greeter = self._entrance.plain_mqtt(PlainPrincipals(policy))
            self.plain_mqtt = Listener("plain MQTT", "127.0.0.1", settings.plain_mqtt_port, greeter)

    @property
    def _listeners(self) -> list[Listener]:
        return [one for one in (self.api, self.mqtts, self.https, self.plain_mqtt) if one is not None]

    @property
    def api_url(self) -> str:
        """Where the HTTP API is reached from here."""
        return _url(self._reach, self.api.port)

    @property
    def public_url(self) -> str:
        """Where others reach the HTTP API: by the first name that the instance was given."""
        return _url((*self.settings.names, self._reach)[0], self.api.port)

    async def start(self) -> Ready:
        """Bring everything up; on return every listener accepts."""
        self._first_key = await self._access_keys.ensure_first(self.settings.access_key)
        await self.iam.load()
        self.registry.principals.watch(self.broker.principals_changed)
        self.iam.watch(self.broker.principals_changed)
        await self.broker.start()
        self.registry.start()
        self._onboarding.start()
        self.shadows.start()
        await self.index.start()
        self._metric_runs.start(await self.fleet_metrics.all())
        self._shadow_subscriber.subscribe(self.broker.router)
        await self.functions.load()
        await self.destinations.start()
        await self.rules.start()
        await self.jobs.start(self.broker.router)
        for listener in self._listeners:
            await listener.open()
        await self.functions.resume()  # handlers of events accepted earlier find the API where it now is
        self.rules.resume()
        await self._registrations.resume()
        return self.ready()

    async def close(self) -> None:
        """Shut down in order. What was acknowledged is on disk."""
        for listener in self._listeners:
            await listener.close()
        self._gateway.close()
        await self._entrance.close()
        await self.jobs.close(self.broker.router)  # while sessions still take what things are to be told
        await self.broker.close()
        await self._http.shutdown()
        await self._registrations.close()
        await self._entrance.drain()
        await self.reception.close()
        await self._topic_rules.close()
        try:
            await asyncio.wait_for(self.rules.drain(), DRAIN)
        except TimeoutError:
            pass  # a target that hangs does not keep the platform from ending
        await self.rules.close()
        await self._answering.close()
        await self._metric_runs.close()
        await self.destinations.close()
        await self._outbound.close()
        await self._onboarding.close()
        await self.functions.close()
        self._shadow_subscriber.unsubscribe(self.broker.router)
        await self.shadows.close()
        await self.index.settled()  # what was heard last need not be looked for at the next start
        await self.index.close()
        await self.registry.close()
        await self.iam.close()
        await self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def ready(self) -> Ready:
        """Where everything is."""
        plain = self.plain_mqtt
        return Ready(
            pid=os.getpid(),
            api=self.api_url,
            mqtts=Address(self._reach, self.mqtts.port),
            https=Address(self._reach, self.https.port),
            wss=Address(self._reach, self.https.port),
            plain_mqtt=None if plain is None else Address(plain.host, plain.port),
            ca_file=str(self.ca_file),
            region=self.settings.region,
            account_id=self.settings.account_id,
            access_key_id=self._first_key.id,
            secret_access_key=self._first_key.secret,
            data_dir=str(self.settings.data_dir),
        )

    def _endpoint(self) -> Endpoint:
        return Endpoint((*self.settings.names, self._reach)[0], self.mqtts.port, self.https.port)

    def _environment_variables(self) -> dict[str, str]:
        """What functions are given to find the platform with."""
        return {"AWS_ENDPOINT_URL": self.api_url}


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
