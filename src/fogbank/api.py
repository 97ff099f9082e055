"""The API of an instance: its modules over the services, and the pages beside them, in one gateway."""

from fogbank.gateway.access_control import AccessControl
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
from fogbank.gateway.iot_endpoint import IotEndpointApi
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
from fogbank.gateway.revocation_lists import RevocationLists
from fogbank.gateway.rule_tests import RuleTests
from fogbank.gateway.sts import StsApi
from fogbank.identity.credential_provider import CredentialProvider
from fogbank.rules.rehearsal import Rehearsal
from fogbank.services import Services


def gateway_of(services: Services) -> Gateway:
    """The gateway that serves them all."""
    arns, clock, trace, addresses = services.arns, services.clock, services.trace, services.addresses
    registry, broker, iam, index = services.registry, services.broker, services.iam, services.index
    principals = registry.principals
    rights, quotas = DeviceRights(principals, arns, trace), broker.quotas
    access = AccessControl(iam, arns, registry.tags.of)
    lambda_api = LambdaApi(services.functions, arns, addresses.api)
    rule_destinations = IotRuleDestinationsApi(services.destinations)
    aliases = services.reception.role_aliases
    provider = CredentialProvider(aliases, iam.sts, principals, arns, trace)
    role_aliases = IotRoleAliasesApi(aliases, provider, arns.account)
    thing_registration = IotThingRegistrationApi(
        registry.provisioner,
        services.registrations,
        access.pass_roles,
        access.allow_to,
        addresses.public,
        clock,
    )
    return Gateway(
        [
            IotThingsApi(registry),
            IotThingTypesApi(registry),
            IotThingGroupsApi(registry),
            IotDynamicThingGroupsApi(index.dynamic_groups, registry),
            IotBillingGroupsApi(registry),
            IotTagsApi(registry),
            IotConnectivityApi(registry, broker.connections),
            IotCertificatesApi(registry),
            IotCaCertificatesApi(registry),
            IotCertificateTransfersApi(registry),
            thing_registration,
            IotPoliciesApi(registry),
            IotProvisioningTemplatesApi(registry),
            IotProvisioningClaimsApi(registry),
            IotAuthorizationApi(registry),
            IotAuthorizersApi(services.reception.authorizers, services.reception.judge),
            IotDomainConfigurationsApi(services.reception.domains),
            IotEndpointApi(addresses.endpoint),
            role_aliases,
            IotEventsApi(registry),
            IotIndexingApi(index),
            IotSearchApi(index),
            IotFleetMetricsApi(services.fleet_metrics),
            IotRulesApi(services.topic_rules, access.pass_roles),
            rule_destinations,
            IotShadowsApi(services.shadows, rights, clock),
            IotJobsApi(services.jobs, clock, access.allow_to),
            IotJobExecutionsApi(services.jobs, arns, clock),
            IotJobTemplatesApi(services.jobs, access.allow_to),
            IotJobsDataApi(services.jobs, rights, clock),
            IotPublishApi(broker.router, rights, quotas, clock, trace, broker.rates),
            IotRetainedApi(broker.retained, rights),
            IotConnectionsApi(broker.connections, broker.direct, rights, quotas, clock, trace, broker.rates),
            lambda_api,
            IamUsersApi(iam),
            IamRolesApi(iam),
            IamPoliciesApi(iam),
            IamSimulationApi(iam),
            StsApi(iam, arns),
        ],
        arns=arns,
        clock=clock,
        access_keys=services.access_keys.get,
        recheck=principals.recheck,
        trace=trace,
        desk=services.reception.desk,
        signers=iam.signers,
        access=access,
        audit=services.audit,
        pages=[
            ca_page(services.server.ca.read_bytes),
            lambda_api.code_page,
            rule_destinations.confirmation_page,
            role_aliases.credentials_page,
            *thing_registration.pages,
            RuleTests(services.topic_rules, Rehearsal(services.functions, arns, clock)).page,
            RevocationLists(registry.revocation).page,
            MetricsPage(
                broker.metrics,
                lambda: services.rules.counters,
                lambda: services.rules.ingest.not_found,
                lambda: services.metric_runs.figures,
            ).page,
        ],
    )
