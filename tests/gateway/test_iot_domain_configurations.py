"""Domain configurations as boto3 sees them, each operation over a socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.gateway.served import Served, serving
from tests.gateway.test_iot_authorizers import UNSIGNED, failure, functions, reception
from tests.gateway.toy import ARNS

from fogbank.gateway.iot_authorizers import IotAuthorizersApi
from fogbank.gateway.iot_domain_configurations import SECURITY_POLICY, IotDomainConfigurationsApi
from fogbank.identity.reception import Reception

__all__ = ["functions", "reception"]

ACM = "arn:aws:acm:us-east-1:123456789012:certificate/6aaff6f2-0dcc-42e4-a1a6-24ee2d4d4c4d"
NAME: dict[str, Any] = {"domainConfigurationName": "d"}


@pytest.fixture
async def iot(reception: Reception) -> AsyncIterator[Served]:
    apis = [IotAuthorizersApi(reception.authorizers, reception.judge), IotDomainConfigurationsApi(reception.domains)]
    async with serving(apis) as served:
        await served.call("create_authorizer", authorizerName="a", **UNSIGNED)
        yield served


async def test_one_of_our_own_names(iot: Served) -> None:
    made = await iot.call("create_domain_configuration", **NAME)
    described = await iot.call("describe_domain_configuration", **NAME)
    assert described.pop("lastStatusChangeDate")
    [certificate] = described.pop("serverCertificates")
    assert certificate["serverCertificateStatus"] == "INVALID"
    assert "fogbank up --name d.localhost" in certificate["serverCertificateStatusDetail"]
    assert described == made | {
        "domainName": "d.localhost",
        "domainConfigurationStatus": "ENABLED",
        "serviceType": "DATA",
        "domainType": "AWS_MANAGED",
        "tlsConfig": {"securityPolicy": SECURITY_POLICY},
        "authenticationType": "DEFAULT",
        "applicationProtocol": "DEFAULT",
    }


async def test_one_of_the_customers(iot: Served) -> None:
    chosen: dict[str, Any] = {
        "authorizerConfig": {"defaultAuthorizerName": "a", "allowAuthorizerOverride": True},
        "authenticationType": "CUSTOM_AUTH",
        "applicationProtocol": "SECURE_MQTT",
    }
    await iot.call(
        "create_domain_configuration",
        **NAME,
        **chosen,
        domainName="iot.example.com",
        serverCertificateArns=[ACM],
        validationCertificateArn=ACM,
        serviceType="DATA",
        tlsConfig={"securityPolicy": SECURITY_POLICY},
        tags=[{"Key": "k"}],
    )
    described = await iot.call("describe_domain_configuration", **NAME)
    assert {member: described[member] for member in chosen} == chosen
    assert (described["domainName"], described["domainType"]) == ("iot.example.com", "CUSTOMER_MANAGED")
    [certificate] = described["serverCertificates"]
    assert (certificate["serverCertificateArn"], certificate["serverCertificateStatus"]) == (ACM, "INVALID")
    assert "in place of the ACM certificate" in certificate["serverCertificateStatusDetail"]


async def test_changes(iot: Served) -> None:
    made = await iot.call("create_domain_configuration", **NAME)
    changed = await iot.call(
        "update_domain_configuration",
        **NAME,
        authorizerConfig={"defaultAuthorizerName": "a"},
        authenticationType="CUSTOM_AUTH_X509",
        applicationProtocol="HTTPS",
    )
    assert changed == made
    described = await iot.call("describe_domain_configuration", **NAME)
    assert described["authorizerConfig"] == {"defaultAuthorizerName": "a", "allowAuthorizerOverride": False}
    assert (described["authenticationType"], described["applicationProtocol"]) == ("CUSTOM_AUTH_X509", "HTTPS")
    assert await failure(iot, "delete_domain_configuration", **NAME) == ("InvalidRequestException", 400)
    await iot.call("update_authorizer", authorizerName="a", status="INACTIVE")
    assert await failure(iot, "delete_authorizer", authorizerName="a") == ("DeleteConflictException", 409)
    status = {"domainConfigurationStatus": "DISABLED"}
    await iot.call("update_domain_configuration", **NAME, **status, removeAuthorizerConfig=True)
    described = await iot.call("describe_domain_configuration", **NAME)
    assert (described["domainConfigurationStatus"], "authorizerConfig" in described) == ("DISABLED", False)
    assert await iot.call("delete_authorizer", authorizerName="a") == {}
    assert await iot.call("delete_domain_configuration", **NAME) == {}
    for operation in ("describe", "update", "delete"):
        refused = await failure(iot, f"{operation}_domain_configuration", **NAME)
        assert refused == ("ResourceNotFoundException", 404)


async def test_lists(iot: Served) -> None:
    for name in ("b", "c", "a"):
        await iot.call("create_domain_configuration", domainConfigurationName=name)
    first = await iot.call("list_domain_configurations", pageSize=2)
    second = await iot.call("list_domain_configurations", pageSize=2, marker=first["nextMarker"])
    listed = first["domainConfigurations"] + second["domainConfigurations"]
    assert [one["domainConfigurationName"] for one in listed] == ["a", "b", "c"]
    assert "nextMarker" not in second
    assert all(one["serviceType"] == "DATA" for one in listed)
    assert listed[0]["domainConfigurationArn"].startswith(ARNS.iot("domainconfiguration", "a/"))
    assert len((await iot.call("list_domain_configurations", serviceType="DATA"))["domainConfigurations"]) == 3
    assert await iot.call("list_domain_configurations", serviceType="JOBS") == {"domainConfigurations": []}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"serviceType": "JOBS"}, ("InvalidRequestException", 400)),
        ({"serverCertificateArns": ["arn"]}, ("InvalidRequestException", 400)),
        ({"domainName": "*"}, ("InvalidRequestException", 400)),
        ({"authenticationType": "AWS_SIGV4", "applicationProtocol": "SECURE_MQTT"}, ("InvalidRequestException", 400)),
        ({"authorizerConfig": {"defaultAuthorizerName": "nobody"}}, ("InvalidRequestException", 400)),
        ({"tlsConfig": {"securityPolicy": "IoTSecurityPolicy_TLS12_1_0_2016_01"}}, ("NotImplementedException", 501)),
        ({"serverCertificateConfig": {"enableOCSPCheck": True}}, ("NotImplementedException", 501)),
        ({"clientCertificateConfig": {"clientCertificateCallbackArn": "arn"}}, ("NotImplementedException", 501)),
    ],
)
async def test_what_cannot_be_is_refused_by_name(iot: Served, given: dict[str, Any], expected: tuple[str, int]) -> None:
    assert await failure(iot, "create_domain_configuration", **NAME, **given) == expected
    assert (await iot.call("list_domain_configurations"))["domainConfigurations"] == []


async def test_what_asks_for_nothing_is_no_obstacle(iot: Served) -> None:
    await iot.call(
        "create_domain_configuration",
        **NAME,
        serverCertificateConfig={"enableOCSPCheck": False},
        clientCertificateConfig={},
        tlsConfig={},
    )
