"""The event, against the example of the developer guide ("Defining your Lambda function")."""

import datetime
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.identity.conftest import CERTIFICATE

from fogbank.identity.authorizer_event import AuthorizerEvent, ConnectionMetadata, ProtocolData, protocol_data
from fogbank.ports import Arrival, HttpHead, Introduction

HEAD = HttpHead(method="GET", path="/mqtt", query="a=b", headers={"host": "x"})
CONNECT = Introduction("myClientId", "myUserName?a=b", b"myPassword\xff")
ARRIVAL = Arrival(server_name="serverName")


def event(data: ProtocolData, token: str | None = None) -> Any:
    made = AuthorizerEvent(
        token=token,
        signature_verified=token is not None,
        protocols=data.protocols,
        protocol_data=data,
        connection_metadata=ConnectionMetadata("UUID"),
    )
    return msgspec.json.decode(made.encode())


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(x509.Name([]), x509.Name([]), key.public_key(), 1, now, now)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_all_that_there_can_be() -> None:
    assert event(protocol_data(ARRIVAL, head=HEAD, introduction=CONNECT), token="aToken") == {
        "token": "aToken",
        "signatureVerified": True,
        "protocols": ["tls", "http", "mqtt"],
        "protocolData": {
            "tls": {"serverName": "serverName"},
            "http": {"headers": {"host": "x"}, "queryString": "?a=b"},
            "mqtt": {"username": "myUserName?a=b", "password": "bXlQYXNzd29yZP8=", "clientId": "myClientId"},
        },
        "connectionMetadata": {"id": "UUID"},
    }


def test_what_there_is_not_is_left_out() -> None:
    nothing = event(protocol_data(Arrival(), introduction=Introduction("")))
    assert nothing == {
        "signatureVerified": False,
        "protocols": ["tls", "mqtt"],
        "protocolData": {"tls": {}, "mqtt": {}},
        "connectionMetadata": {"id": "UUID"},
    }
    head = msgspec.structs.replace(HEAD, query="")
    assert event(protocol_data(ARRIVAL, head=head))["protocolData"]["http"] == {"headers": {"host": "x"}}
    assert event(ProtocolData())["protocols"] == []


def test_the_certificate_comes_where_it_is_asked_for() -> None:
    der = certificate()
    arrival = msgspec.structs.replace(ARRIVAL, identity=CERTIFICATE, certificate=der)
    assert event(protocol_data(arrival))["protocolData"]["tls"] == {"serverName": "serverName"}
    tls = event(protocol_data(arrival, with_certificate=True))["protocolData"]["tls"]
    pem = tls.pop("x509CertificatePem")
    assert tls == {"serverName": "serverName", "principalId": CERTIFICATE.id}
    assert x509.load_pem_x509_certificate(pem.encode()) == x509.load_der_x509_certificate(der)
