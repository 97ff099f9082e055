"""Certificates made on the spot, and a broker behind listeners on free ports."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fogbank.arns import Arns
from fogbank.broker.broker import Broker
from fogbank.ports import Grant, Identity, PolicyDocument, PrincipalListener
from fogbank.settings import Limits
from fogbank.testing import FakeClock
from fogbank.trace import Trace
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


class EchoHttp(asyncio.Protocol):
    """Stands for the HTTP side: answers with what it got and who it came from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert hasattr(self.transport, "write")
        identity = self.transport.get_extra_info("fogbank.identity")
        self.transport.write(b"HTTP/1.1 200 OK\r\n\r\n%r %s" % (identity and identity.id, data))


class Edge(msgspec.Struct):
    """Open listeners and what a client needs to reach them."""

    tls_port: int
    plain_port: int
    broker: Broker
    principals: KnownCertificates
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
    broker = Broker(arns, Limits.OPEN, clock, Trace(clock), asyncio.get_running_loop())
    entrance = Entrance(broker, EchoHttp, principals)
    server = tmp_path / "server.pem"
    tls = Listener("TLS", "127.0.0.1", 0, entrance.tls(server_context(server, server)))
    plain = Listener("plain", "127.0.0.1", 0, entrance.plain_mqtt(PlainPrincipals(None)))
    await tls.open()
    await plain.open()
    yield Edge(tls.port, plain.port, broker, principals, tmp_path)
    await tls.close()
    await plain.close()
    await entrance.close()
    await broker.close()
