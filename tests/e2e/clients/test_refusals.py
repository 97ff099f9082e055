"""Real clients where they may not: what the policy does not allow, and who is not let in."""

from collections.abc import Callable

import msgspec
import pytest
from awscrt.exceptions import AwsCrtError
from tests.e2e.clients.base import FAILURE, NOT_AUTHORIZED, Client, Library, Options, Site, Token, Version
from tests.e2e.clients.conftest import Make
from tests.e2e.clients.ways import BOUND, BY_AUTHORIZER, Way

of_those_that_are_bound = pytest.mark.parametrize("way", BOUND, ids=str)
of_those_that_are_judged = pytest.mark.parametrize("way", BY_AUTHORIZER, ids=str)
of_aws = pytest.mark.parametrize("way", [way for way in BY_AUTHORIZER if way.library == "awsiotsdk"], ids=str)

Pretend = Callable[[Token], Client]

TAKEN = (0x00, 0x10)
"""Success, and success without anybody who subscribes."""
REFUSED = (AwsCrtError, ConnectionError)


@pytest.fixture
def pretend(way: Way, library: Library, site: Site, name: str) -> Pretend:
    """`pretend(token)`: a client with this token."""

    def pretend(token: Token) -> Client:
        other = msgspec.structs.replace(site, token=lambda: token)
        return library(other, way.version, way.door, Options(client_id=name))

    return pretend


@of_those_that_are_bound
def test_a_subscription_that_the_policy_does_not_allow_is_refused(way: Way, join: Make, name: str, topic: str) -> None:
    client = join(name)
    assert client.subscribe(f"elsewhere/{name}") == (NOT_AUTHORIZED if way.version is Version.V5 else FAILURE)
    assert client.subscribe(topic) == 1


@pytest.mark.parametrize("way", [one for one in BOUND if one.tells_of_publishing], ids=str)
def test_a_message_that_the_policy_does_not_allow_is_refused_with_a_reason(join: Make, name: str, topic: str) -> None:
    client = join(name)
    assert client.publish(f"elsewhere/{name}", b"x") == NOT_AUTHORIZED
    assert client.publish(topic, b"x") in TAKEN


@of_those_that_are_judged
def test_who_has_a_wrong_password_is_not_let_in(pretend: Pretend, site: Site) -> None:
    client = pretend(msgspec.structs.replace(site.token(), password="guessed"))
    with pytest.raises(REFUSED):
        client.connect()
    client.close()


@of_aws  # Paho leaves the socket of a refused upgrade to the garbage collector, which warns of it
def test_who_has_a_forged_signature_is_not_let_in(pretend: Pretend, site: Site) -> None:
    token = site.token()
    client = pretend(msgspec.structs.replace(token, signature=token.signature[::-1].replace("=", "A")))
    with pytest.raises(REFUSED):
        client.connect()
    client.close()
