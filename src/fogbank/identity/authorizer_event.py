"""The event that an authorizer's function gets (developer guide, "Defining your Lambda function").

It has what the connection has: TLS where there is TLS, HTTP where a request was made, MQTT where CONNECT has come.
"""

import base64
from collections.abc import Mapping

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from fogbank.ports import Arrival, HttpHead, Introduction


class Tls(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """`principal_id` is the certificate's ID; it and the certificate come with CUSTOM_AUTH_X509 alone."""

    server_name: str | None = None
    x509_certificate_pem: str | None = None
    principal_id: str | None = None


class Http(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Header names are in lower case; the query begins with its question mark."""

    headers: Mapping[str, str] | None = None
    query_string: str | None = None


class Mqtt(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What CONNECT says. The user name is whole, credentials and all (UNVERIFIED); the password is base64."""

    username: str | None = None
    password: str | None = None
    client_id: str | None = None


class ProtocolData(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of each protocol that the connection speaks."""

    tls: Tls | None = None
    http: Http | None = None
    mqtt: Mqtt | None = None

    @property
    def protocols(self) -> tuple[str, ...]:
        """Their names, from the wire up."""
        return tuple(name for name in ("tls", "http", "mqtt") if getattr(self, name) is not None)


class ConnectionMetadata(msgspec.Struct, frozen=True):
    """The connection's ID, a UUID, for the function's log."""

    id: str


class AuthorizerEvent(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """The event. `token` is there where the authorizer has a token key name and the client sent a value under it."""

    token: str | None = None
    signature_verified: bool
    protocols: tuple[str, ...]
    protocol_data: ProtocolData
    connection_metadata: ConnectionMetadata

    def encode(self) -> bytes:
        return msgspec.json.encode(self)


def protocol_data(
    arrival: Arrival,
    *,
    head: HttpHead | None = None,
    introduction: Introduction | None = None,
    with_certificate: bool = False,
) -> ProtocolData:
    """What a connection has shown of itself."""
    return ProtocolData(
        tls=_tls(arrival, with_certificate),
        http=None if head is None else Http(head.headers, f"?{head.query}" if head.query else None),
        mqtt=None if introduction is None else _mqtt(introduction),
    )


def _tls(arrival: Arrival, with_certificate: bool) -> Tls:
    if not with_certificate or arrival.identity is None or arrival.certificate is None:
        return Tls(arrival.server_name)
    pem = load_der_x509_certificate(arrival.certificate).public_bytes(Encoding.PEM).decode()
    return Tls(arrival.server_name, pem, arrival.identity.id)


def _mqtt(introduction: Introduction) -> Mqtt:
    password = introduction.password
    return Mqtt(
        username=introduction.username,
        password=None if password is None else base64.b64encode(password).decode(),
        client_id=introduction.client_id or None,
    )
