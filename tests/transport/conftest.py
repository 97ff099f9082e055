"""Certificates made on the spot, and a broker behind listeners on free ports."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.ports import Arrival, Grant, HttpHead, Identity, Peer, PolicyDocument, PrincipalListener
from fogbank.settings import Limits
from fogbank.storage.memory import MemoryBacklogs, MemoryDocuments
from fogbank.testing import FakeClock
from fogbank.trace import Trace
from fogbank.transport.http import HttpServer
from fogbank.transport.listener import Entrance, Listener
from fogbank.transport.peer import PlainPrincipals
from fogbank.transport.tls import server_context

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'


class KnownCertificates:
    """A principal store that knows some certificates by their bytes."""

    def __init__(self) -> None:
        self.known: set[bytes] = set()
        self.asked: list[bytes] = []

    async def identify(self, certificate: bytes) -> Identity:
        self.asked.append(certificate)
        return Identity("cert", "arn", certificate in self.known, "unknown certificate")

    async def recheck(self, identity: Identity) -> Identity:
        return identity

    async def grant(self, identity: Identity, client_id: str | None) -> Grant:
        return Grant((PolicyDocument("all", POLICY),))

    def watch(self, listener: PrincipalListener) -> None: ...


class Desk:
    """A front desk that knows clients by their certificates, lets in over WebSocket whom it is not told to refuse, and
    remembers whom it saw."""

    def __init__(self, principals: KnownCertificates) -> None:
        self._principals = principals
        self._plain = PlainPrincipals(None)
        self.arrivals: list[Arrival] = []
        self.requests: list[HttpHead] = []
        self.error: Exception | None = None
        self.asked = asyncio.Event()
        """Whether somebody has come."""
        self.open = asyncio.Event()
        """Clear it to keep who comes waiting."""
        self.open.set()

    async def mqtt(self, arrival: Arrival) -> Peer:
        self.arrivals.append(arrival)
        self.asked.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        identity = arrival.identity or Identity("", "", False, "the client sent no certificate")
        return Peer(identity=identity, principals=self._principals, ip=arrival.ip, port=arrival.port)

    async def websocket(self, arrival: Arrival, request: HttpHead) -> Peer:
        self.arrivals.append(arrival)
        self.requests.append(request)
        self.asked.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return Peer(identity=self._plain.identity, principals=self._plain, ip=arrival.ip, port=arrival.port)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Stands for the HTTP API: answers with what it was asked, and by whom."""
    identity = scope["state"]["fogbank.identity"]
    body = f"{identity and identity.id} {scope['method']} {scope['path']}".encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Edge(msgspec.Struct):
    """Open listeners and what a client needs to reach them."""

    tls_port: int
    plain_port: int
    api_port: int
    broker: Broker
    principals: KnownCertificates
    desk: Desk
    entrance: Entrance
    http: HttpServer
    directory: Path

    def client(self, certificate: str | None = "device", alpn: str | None = None) -> ssl.SSLContext:
        """A client's context that trusts the server, with a certificate or without."""
        context = ssl.create_default_context(cafile=str(self.directory / "server.pem"))
        if certificate is not None:
            path = self.directory / f"{certificate}.pem"
            context.load_cert_chain(path)
        if alpn is not None:
            context.set_alpn_protocols([alpn])
        return context

    async def connect(self, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", self.tls_port, ssl=context)


def make_certificate(path: Path, name: str) -> bytes:
    """A self-signed certificate and its key in one file; its DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + pem)
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    make_certificate(tmp_path / "server.pem", "localhost")
    principals = KnownCertificates()
    principals.known.add(make_certificate(tmp_path / "device.pem", "device"))
    make_certificate(tmp_path / "stranger.pem", "stranger")
    clock = FakeClock()
    arns = Arns("us-east-1", "123456789012")
    documents, loop = MemoryDocuments(), asyncio.get_running_loop()
    broker = Broker(arns, Limits.OPEN, clock, Trace(clock), loop, documents, MemoryBacklogs(documents))
    http = HttpServer(echo)
    desk = Desk(principals)
    entrance = Entrance(broker, http.protocol, principals, desk)
    server = tmp_path / "server.pem"
    tls = Listener("TLS", "127.0.0.1", 0, entrance.tls(server_context(server, server)))
    plain = Listener("plain", "127.0.0.1", 0, entrance.plain_mqtt(PlainPrincipals(None)))
    api = Listener("HTTP", "127.0.0.1", 0, entrance.http())
    listeners = (tls, plain, api)
    for listener in listeners:
        await listener.open()
    yield Edge(tls.port, plain.port, api.port, broker, principals, desk, entrance, http, tmp_path)
    for listener in listeners:
        await listener.close()
    await entrance.close()
    await broker.close()
    await http.shutdown(0)
    await entrance.drain()
