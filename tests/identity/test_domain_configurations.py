"""Domain configurations as resources, and the terms they make."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.identity.conftest import FUNCTION

from fogbank.errors import InvalidRequest, LimitExceeded, ResourceAlreadyExists, ResourceNotFound
from fogbank.identity.domain_configurations import MAX_CONFIGURATIONS, DomainChange, DomainConfigurations, Terms
from fogbank.identity.reception import Reception
from fogbank.identity.records import ApplicationProtocol, AuthenticationType, AuthorizerConfig, DomainStatus
from fogbank.testing.clock import FakeClock

DISABLED = DomainChange(status=DomainStatus.DISABLED)


@pytest.fixture
def domains(reception: Reception) -> DomainConfigurations:
    return reception.domains


async def test_terms_of_names_that_nothing_is_said_about(domains: DomainConfigurations) -> None:
    await domains.create("d", "iot.example.com", authentication=AuthenticationType.AWS_X509)
    for name in (None, "", "localhost", "example.com", "x.iot.example.com"):
        assert await domains.terms(name) == Terms()


async def test_terms_follow_changes(reception: Reception) -> None:
    await reception.authorizers.create("a", FUNCTION, signing_disabled=True)
    domains = reception.domains
    await domains.create(
        "d",
        "IoT.example.com",
        authentication=AuthenticationType.CUSTOM_AUTH,
        protocol=ApplicationProtocol.SECURE_MQTT,
        authorizer=AuthorizerConfig("a", override=True),
    )
    expected: dict[str, Any] = {
        "configuration": "d",
        "authentication": AuthenticationType.CUSTOM_AUTH,
        "protocol": ApplicationProtocol.SECURE_MQTT,
        "authorizer": "a",
    }
    for name in ("iot.example.com", "IOT.EXAMPLE.COM", "iot.example.com."):
        assert await domains.terms(name) == Terms(**expected)
    await domains.update("d", DomainChange(authorizer=AuthorizerConfig("a")))
    assert await domains.terms("iot.example.com") == Terms(**expected, override=False)
    await domains.update("d", DomainChange(remove_authorizer=True, protocol=ApplicationProtocol.DEFAULT))
    changed = expected | {"authorizer": None, "protocol": ApplicationProtocol.DEFAULT}
    assert await domains.terms("iot.example.com") == Terms(**changed)
    await domains.update("d", DISABLED)
    assert await domains.terms("iot.example.com") == Terms(**changed, enabled=False)
    await domains.delete("d")
    assert await domains.terms("iot.example.com") == Terms()


async def test_one_is_disabled_before_it_is_deleted(domains: DomainConfigurations, clock: FakeClock) -> None:
    made = await domains.create("d")
    await clock.advance(5)
    with pytest.raises(InvalidRequest, match="must be DISABLED"):
        await domains.delete("d")
    changed = await domains.update("d", DISABLED)
    assert changed.status_changed == made.status_changed + 5
    await clock.advance(5)
    assert (await domains.update("d", DISABLED)).status_changed == changed.status_changed
    await domains.delete("d")
    with pytest.raises(ResourceNotFound):
        await domains.get("d")
    again = await domains.create("d")
    assert domains.arn(again) != domains.arn(made)
    assert domains.arn(again).startswith("arn:aws:iot:eu-west-1:123456789012:domainconfiguration/d/")


@pytest.mark.parametrize("operation", ["get", "delete"])
async def test_one_that_is_not_there(domains: DomainConfigurations, operation: str) -> None:
    with pytest.raises(ResourceNotFound):
        await getattr(domains, operation)("nobody")
    with pytest.raises(ResourceNotFound):
        await domains.update("nobody", DISABLED)


async def test_names_are_taken_once(domains: DomainConfigurations) -> None:
    await domains.create("d", "iot.example.com")
    with pytest.raises(ResourceAlreadyExists):
        await domains.create("d", "other.example.com")
    with pytest.raises(InvalidRequest, match="is that of domain configuration d"):
        await domains.create("e", "IOT.example.com")


@pytest.mark.parametrize(
    "name", ["", "localhost", "*.example.com", "a b.c", "-a.example.com", "a..b", "a." * 127 + "com"]
)
async def test_domain_names_that_cannot_be(domains: DomainConfigurations, name: str) -> None:
    with pytest.raises(InvalidRequest, match="domainName must be"):
        await domains.create("d", name)


async def test_pairs_that_cannot_be(domains: DomainConfigurations) -> None:
    """Developer guide, "Choosing an application protocol for your device communication"."""
    allowed = {
        "AWS_X509": {"SECURE_MQTT", "HTTPS", "DEFAULT"},
        "AWS_SIGV4": {"MQTT_WSS", "HTTPS", "DEFAULT"},
        "CUSTOM_AUTH": {"SECURE_MQTT", "MQTT_WSS", "HTTPS", "DEFAULT"},
        "CUSTOM_AUTH_X509": {"SECURE_MQTT", "HTTPS", "DEFAULT"},
        "DEFAULT": {"SECURE_MQTT", "MQTT_WSS", "HTTPS", "DEFAULT"},
    }
    await domains.create("d")
    for authentication in AuthenticationType:
        for protocol in ApplicationProtocol:
            change = DomainChange(authentication=authentication, protocol=protocol)
            if protocol.value in allowed[authentication.value]:
                await domains.update("d", change)
            else:
                with pytest.raises(InvalidRequest, match=f"{authentication.value} cannot be used with"):
                    await domains.update("d", change)


async def test_the_authorizer_must_be_there(domains: DomainConfigurations) -> None:
    with pytest.raises(InvalidRequest, match="there is no authorizer a"):
        await domains.create("d", authorizer=AuthorizerConfig("a"))
    await domains.create("d")
    with pytest.raises(InvalidRequest, match="there is no authorizer a"):
        await domains.update("d", DomainChange(authorizer=AuthorizerConfig("a")))
    with pytest.raises(InvalidRequest, match="cannot be used together"):
        await domains.update("d", DomainChange(authorizer=AuthorizerConfig(), remove_authorizer=True))


async def test_the_quota(make: Callable[..., Reception]) -> None:
    domains = make().domains
    for number in range(MAX_CONFIGURATIONS):
        await domains.create(f"d{number}")
    with pytest.raises(LimitExceeded, match="has 10 domain configurations"):
        await domains.create("more")
    await make(limited=False).domains.create("more")
    assert len(await domains.all()) == MAX_CONFIGURATIONS + 1


class TestServerCertificate:
    @pytest.mark.parametrize(
        ("served", "name", "bears"),
        [
            ({"iot.example.com"}, "iot.example.com", True),
            ({"iot.example.com"}, "IoT.Example.com", True),
            ({"*.example.com"}, "iot.example.com", True),
            ({"*.example.com"}, "a.iot.example.com", False),
            ({"localhost", "127.0.0.1"}, "iot.example.com", False),
        ],
    )
    async def test_what_clients_see(
        self, make: Callable[..., Reception], served: set[str], name: str, bears: bool
    ) -> None:
        domains = make(served=served).domains
        made = await domains.create("d", name, certificate_arns=("arn:...",))
        assert domains.is_served(made) is bears
        detail = domains.certificate_detail(made)
        assert "in place of the ACM certificate" in detail
        assert (f"fogbank up --name {name}" in detail) is not bears

    @pytest.mark.parametrize(
        ("served", "name", "expected", "bears"),
        [
            ({"localhost"}, "My.Devices_1", "my-devices-1.localhost", False),
            ({"localhost", "*.iot.example"}, "d", "d.iot.example", True),
            ({"localhost"}, "___", "domain.localhost", False),
        ],
    )
    async def test_names_of_our_making(
        self, make: Callable[..., Reception], served: set[str], name: str, expected: str, bears: bool
    ) -> None:
        domains = make(served=served).domains
        made = await domains.create(name)
        assert (made.domain_name, made.customer_managed) == (expected, False)
        assert domains.is_served(made) is bears
