"""The IoT API of domain configurations.

They are served as far as they choose how clients prove who they are, what they speak, and which authorizer judges
them. What would have to reach into TLS is refused by name; the certificates of custom domains are taken and kept, and
the description says of each what clients see in its place.
"""

from collections.abc import Mapping
from typing import Any

from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.gateway.call import Call, Members, operation
from fogbank.identity.domain_configurations import DomainChange, DomainConfigurations
from fogbank.identity.paging import cut
from fogbank.identity.records import (
    ApplicationProtocol,
    AuthenticationType,
    AuthorizerConfig,
    DomainConfiguration,
    DomainStatus,
)
from fogbank.registry.tags import checked_tags

SERVICE_TYPE = "DATA"
SECURITY_POLICY = "IoTSecurityPolicy_TLS13_1_2_2022_10"
"""The one that describes how Fogbank speaks TLS: 1.2 and 1.3 (developer guide, "Security policies")."""


class IotDomainConfigurationsApi:
    """CreateDomainConfiguration to ListDomainConfigurations."""

    def __init__(self, domains: DomainConfigurations) -> None:
        self._domains = domains

    @operation("iot", "CreateDomainConfiguration")
    async def create_domain_configuration(self, call: Call) -> Members:
        params = call.params
        service = params.get("serviceType", SERVICE_TYPE)
        if service != SERVICE_TYPE:
            raise InvalidRequest(f"serviceType {service} is not supported; AWS IoT Core takes {SERVICE_TYPE} alone")
        made = await self._domains.create(
            params["domainConfigurationName"],
            params.get("domainName"),
            authentication=_authentication(params) or AuthenticationType.DEFAULT,
            protocol=_protocol(params) or ApplicationProtocol.DEFAULT,
            authorizer=_authorizer(params),
            certificate_arns=tuple(params.get("serverCertificateArns") or ()),
            validation_certificate_arn=params.get("validationCertificateArn"),
            security_policy=_security_policy(call),
            tags=checked_tags(params.get("tags")),
        )
        return self._reference(made)

    @operation("iot", "DescribeDomainConfiguration")
    async def describe_domain_configuration(self, call: Call) -> Members:
        one = await self._domains.get(call.params["domainConfigurationName"])
        return {
            **self._reference(one),
            "domainName": one.domain_name,
            "serverCertificates": self._certificates(one),
            "authorizerConfig": None if one.authorizer is None else _authorizer_members(one.authorizer),
            "domainConfigurationStatus": one.status.value,
            "serviceType": SERVICE_TYPE,
            "domainType": "CUSTOMER_MANAGED" if one.customer_managed else "AWS_MANAGED",
            "lastStatusChangeDate": one.status_changed,
            "tlsConfig": {"securityPolicy": one.security_policy or SECURITY_POLICY},
            "authenticationType": one.authentication.value,
            "applicationProtocol": one.protocol.value,
        }

    @operation("iot", "UpdateDomainConfiguration")
    async def update_domain_configuration(self, call: Call) -> Members:
        params = call.params
        status = params.get("domainConfigurationStatus")
        change = DomainChange(
            status=None if status is None else DomainStatus(status),
            authentication=_authentication(params),
            protocol=_protocol(params),
            authorizer=_authorizer(params),
            remove_authorizer=bool(params.get("removeAuthorizerConfig")),
            security_policy=_security_policy(call),
        )
        return self._reference(await self._domains.update(params["domainConfigurationName"], change))

    @operation("iot", "DeleteDomainConfiguration")
    async def delete_domain_configuration(self, call: Call) -> Members:
        await self._domains.delete(call.params["domainConfigurationName"])
        return {}

    @operation("iot", "ListDomainConfigurations")
    async def list_domain_configurations(self, call: Call) -> Members:
        """In alphabetical order. All are of the service type DATA."""
        params = call.params
        found = await self._domains.all() if params.get("serviceType", SERVICE_TYPE) == SERVICE_TYPE else []
        page, following = cut(found, params.get("marker"), params.get("pageSize"))
        listed = [{**self._reference(one), "serviceType": SERVICE_TYPE} for one in page]
        return {"domainConfigurations": listed, "nextMarker": following}

    def _reference(self, one: DomainConfiguration) -> Members:
        return {"domainConfigurationName": one.name, "domainConfigurationArn": self._domains.arn(one)}

    def _certificates(self, one: DomainConfiguration) -> list[Members]:
        """What was asked for, and whether what is served in its place will do."""
        status = "VALID" if self._domains.is_served(one) else "INVALID"
        detail = self._domains.certificate_detail(one)
        return [
            {"serverCertificateArn": arn, "serverCertificateStatus": status, "serverCertificateStatusDetail": detail}
            for arn in one.certificate_arns or (None,)
        ]


def _authentication(params: Mapping[str, Any]) -> AuthenticationType | None:
    given = params.get("authenticationType")
    return None if given is None else AuthenticationType(given)


def _protocol(params: Mapping[str, Any]) -> ApplicationProtocol | None:
    given = params.get("applicationProtocol")
    return None if given is None else ApplicationProtocol(given)


def _authorizer(params: Mapping[str, Any]) -> AuthorizerConfig | None:
    given = params.get("authorizerConfig")
    if given is None:
        return None
    return AuthorizerConfig(given.get("defaultAuthorizerName"), bool(given.get("allowAuthorizerOverride")))


def _authorizer_members(config: AuthorizerConfig) -> Members:
    return {"defaultAuthorizerName": config.default, "allowAuthorizerOverride": config.override}


def _security_policy(call: Call) -> str | None:
    """The policy where it is what Fogbank does; all else that would reach into TLS is refused by name."""
    params = call.params
    certificates, clients = params.get("serverCertificateConfig") or {}, params.get("clientCertificateConfig") or {}
    refused = [f"serverCertificateConfig.{member}" for member, value in certificates.items() if value]
    refused += [f"clientCertificateConfig.{member}" for member, value in clients.items() if value]
    policy: str | None = (params.get("tlsConfig") or {}).get("securityPolicy") or None
    if policy not in (None, SECURITY_POLICY):
        refused.append(f"tlsConfig.securityPolicy {policy} (Fogbank does {SECURITY_POLICY})")
    if refused:
        raise NotImplementedByFogbank(
            f"{call.operation}: {', '.join(refused)} is not supported by Fogbank yet; leave it out"
        )
    return policy
