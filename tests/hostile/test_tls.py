"""What comes before MQTT and HTTP: handshakes that are none, go on for ever, or bear odd certificates."""

import datetime
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from tests.hostile.certificates import NOW, Credentials, attach, make, write
from tests.hostile.mqtt import Client, Closed
from tests.hostile.server import Server
from tests.hostile.siege import siege

from fogbank.mqtt.packets import PINGREQ, Connect

FAILED = r"127.0.0.1: TLS handshake failed: \w"
VARIABLE = "arn:aws:iot:us-east-1:123456789012:client/${iot:Certificate.Subject.CommonName}"


def client_hello() -> bytes:
    """A whole ClientHello, as OpenSSL makes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def huge_hello() -> bytes:
    """A ClientHello of nearly 2^24 bytes is announced; what comes of it is five records of noise."""
    handshake = b"\x01" + (0xFFFFFF).to_bytes(3, "big") + b"\x03\x03" + bytes(16_000)
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(handshake)) + handshake for _ in range(5))


GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "MQTT": Connect("x").encode(),
    "zeros": bytes(1000),
    "noise": os.urandom(5000),
    "an alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "application data first": b"\x17\x03\x03\x00\x05hello",
    "a broken ClientHello": b"\x16\x03\x01\x00\x05hello",
    "a ClientHello of SSL 2": bytes.fromhex("802e010002001500000010") + bytes(40),
    "a ClientHello of 16 MB": huge_hello(),
    "a ClientHello twice": client_hello() * 2,
    "a record that is too long": b"\x16\x03\x01\xff\xff" + bytes(70_000),
    "an empty record": b"\x16\x03\x01\x00\x00" * 50,
}


@pytest.mark.parametrize("port", ["mqtts", "https"])
def test_garbage_instead_of_a_handshake(server: Server, port: str) -> None:
    with siege(server, *[FAILED] * len(GARBAGE)):
        for name, data in GARBAGE.items():
            with server.connect(port) as link:
                link.sendall(data)
                assert _ends(link), name


def test_tls_to_the_plain_ports(server: Server) -> None:
    first = r"127.0.0.1: HTTP refused with 400: |client None at 127.0.0.1: disconnected \(CLIENT_ERROR\)"
    with siege(server, first, first):
        for port in ("plain_mqtt", "api"):
            with server.connect(port) as link:
                link.sendall(client_hello())
                assert _ends(link), port


@pytest.mark.parametrize("length", [0, 40, None])
def test_hundreds_of_half_open_handshakes(server: Server, length: int | None) -> None:
    begun = client_hello()[:length]
    with siege(server, *[r"TLS handshake failed: the client went away during the handshake"] * 300):
        links = [server.connect("mqtts") for _ in range(300)]
        for link in links:
            if begun:
                link.sendall(begun)
        for link in links:
            link.close()


def test_tls_without_a_greeting(server: Server) -> None:
    """A handshake, and then nothing, or one byte that begins nothing."""
    with siege(server, r"127.0.0.1: neither MQTT nor HTTP: the connection begins with b'\\xc0'"):
        for said in (b"", b"\xc0"):
            with server.tls("mqtts") as link:
                if said:
                    link.sendall(said)
                    assert _ends(link)


def test_renegotiation_is_refused(server: Server, permitted: Credentials) -> None:
    """OpenSSL's own client would not even ask again over TLS 1.3, so it is asked to by a key of its command line."""
    with siege(server, any_lines=True):
        host, port = server.address("mqtts")
        done = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"{host}:{port}", "-tls1_2", "-no_ign_eof", "-cert"),
                *(permitted.certificate, "-key", permitted.key),
            ],
            input=b"R\n",
            capture_output=True,
            timeout=8,
            check=False,
        )
        assert b"RENEGOTIATING" in done.stdout + done.stderr
        assert b"no renegotiation" in done.stdout + done.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(server: Server, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = context.maximum_version = version
    with siege(server, FAILED), server.connect("mqtts") as link, pytest.raises(ssl.SSLError):
        context.wrap_socket(link)


def _odd(place: Path) -> Iterator[Credentials]:
    """Self-signed certificates that nobody registered, each odd in its own way."""
    common = NameOID.COMMON_NAME
    latin = x509.NameAttribute(common, "caf\xe9\x01\r\n[ERROR] forged", _validate=False)
    long = x509.NameAttribute(common, "x" * 3000, _validate=False)
    many = x509.SubjectAlternativeName([x509.DNSName(f"{number}.{'a' * 40}.example") for number in range(400)])
    yield make(place, "expired", begins=NOW - datetime.timedelta(days=9), ends=NOW - datetime.timedelta(days=1))
    yield make(place, "early", begins=NOW + datetime.timedelta(days=1), ends=NOW + datetime.timedelta(days=9))
    yield make(place, "rsa", key=rsa.generate_private_key(65537, 2048))
    yield make(place, "p384", key=ec.generate_private_key(ec.SECP384R1()))
    yield make(place, "ed25519", key=ed25519.Ed25519PrivateKey.generate())
    yield make(place, "nobody", subject=x509.Name([]))
    yield make(place, "control", subject=x509.Name([latin]))
    yield make(place, "long", subject=x509.Name([long] * 3))
    yield make(place, "wide", subject=x509.Name([x509.NameAttribute(common, "\U0001f980" * 10)] * 20))
    yield make(place, "names", extensions=(many,))
    yield make(place, "unknown", extensions=(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\xff" * 999),))
    broken = x509.UnrecognizedExtension(ObjectIdentifier("2.5.29.17"), b"\xff\xff\xff")
    yield make(place, "broken", extensions=(broken,))
    yield make(place, "old", begins=datetime.datetime(1950, 1, 1), ends=datetime.datetime(9999, 12, 31, 23, 59, 59))


@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")
def test_odd_certificates_are_unknown_certificates(server: Server, tmp_path: Path) -> None:
    """What OpenSSL's client takes for a certificate gets through the handshake, and is refused by name."""
    sendable = [credentials for credentials in _odd(tmp_path) if _loads(credentials)]
    assert len(sendable) >= 12
    with siege(
        server, *[r"client 'odd' at 127.0.0.1: disconnected \(AUTH_ERROR\): unknown certificate"] * len(sendable)
    ):
        for credentials in sendable:
            client = Client(server.tls("mqtts", credentials.files))
            with pytest.raises(Closed):
                client.connect("odd")


def _loads(credentials: Credentials) -> bool:
    try:
        ssl.create_default_context().load_cert_chain(*credentials.files)
    except ssl.SSLError:
        return False
    return True


@pytest.mark.parametrize("common_name", ["caf\xe9", "${iot:ClientId}", "*", "a/+/#", "x" * 60, "\U0001f980"])
def test_odd_subjects_of_registered_certificates(server: Server, tmp_path: Path, common_name: str) -> None:
    """Their subject becomes a policy variable, which stands for itself and for no wildcard."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    request = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    body = {"certificateSigningRequest": request.public_bytes(serialization.Encoding.PEM).decode()}
    status, _, answer = server.ask("iot", "POST", "/certificates", body, query="setAsActive=true")
    assert status == 200, answer
    issued = json.loads(answer)
    credentials = write(tmp_path, "odd", issued["certificatePem"].encode(), key)
    statement = {"Effect": "Allow", "Action": "iot:Connect", "Resource": VARIABLE}
    policy = f"odd-{hashlib.sha256(common_name.encode()).hexdigest()[:16]}"
    attach(server, policy, issued["certificateArn"], {"Version": "2012-10-17", "Statement": [statement]})
    with siege(server, r"client 'victim' .*: disconnected \(AUTH_ERROR\)"):
        client = Client(server.tls("mqtts", credentials.files))
        with pytest.raises(Closed):
            client.connect("victim")


def test_a_certificate_with_the_same_subject_and_another_key_is_another(
    server: Server, permitted: Credentials, tmp_path: Path
) -> None:
    subject = x509.load_pem_x509_certificate(permitted.certificate.read_bytes()).subject
    twin = make(tmp_path, "twin", subject=subject)
    with siege(server, r"client 'twin' .* unknown certificate"):
        client = Client(server.tls("mqtts", twin.files))
        with pytest.raises(Closed):
            client.connect("twin")
    mixed = (permitted.certificate, twin.key)
    with pytest.raises(ssl.SSLError, match=r"MISMATCH|NO_CERTIFICATE"):
        server.tls("mqtts", mixed)


def test_no_certificate_at_all(server: Server) -> None:
    with siege(server, r"client 'bare' .* the client sent no certificate"):
        client = Client(server.tls("mqtts"))
        with pytest.raises(Closed):
            client.connect("bare")


def test_records_of_one_byte(server: Server, permitted: Credentials) -> None:
    with siege(server), Client(server.tls("mqtts", permitted.files)) as client:
        client.connect("crumbs")
        for byte in PINGREQ * 500:
            client.link.send(bytes((byte,)))
        client.ping()


def _ends(link: socket.socket) -> bool:
    try:
        while link.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True
