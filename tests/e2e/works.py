"""A factory with a CA of its own, as its makers of devices see it."""

import datetime
import http.client
import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from cryptography import x509
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.ready import Ready
from fogbank.registry.certificate_checks import id_of

HOUR = datetime.timedelta(hours=1)


class Works:
    """A registered CA, and files for the devices that it signs for."""

    def __init__(self, app: App, directory: Path, **options: Any) -> None:
        """`options` are RegisterCACertificate's, over ACTIVE and auto-registering."""
        self.authority = pki.Authority(f"Works {uuid4().hex[:12]}")
        self._directory = directory
        code = app.iot.get_registration_code()["registrationCode"]
        made = app.iot.register_ca_certificate(
            caCertificate=self.authority.pem,
            verificationCertificate=self.authority.verification(code),
            **{"setAsActive": True, "allowAutoRegistration": True} | options,
        )
        self.id: str = made["certificateId"]

    @property
    def topic(self) -> str:
        """Where the platform tells of devices of ours that it did not know."""
        return f"$aws/events/certificates/registered/{self.id}"

    def make(self, name: str, **options: Any) -> tuple[Credentials, str]:
        """A device that the platform knows nothing of, and the ID of its certificate."""
        key = options.pop("key", None) or pki.new_key()
        return self.files(name, self.authority.issue(name, key=key, **options), key)

    def files(self, name: str, certificate: x509.Certificate, key: pki.Key) -> tuple[Credentials, str]:
        """The same with a certificate of any kind."""
        certificate_file = self._directory / f"{name}.cert.pem"
        key_file = self._directory / f"{name}.key"
        certificate_file.write_text(pki.pem(certificate))
        key_file.touch(mode=0o600)
        key_file.write_bytes(pki.key_pem(key))
        return Credentials(name, certificate_file, key_file), id_of(certificate)


def status(app: App, id_: str) -> str | None:
    """A certificate's, None where it is not registered."""
    try:
        description = app.iot.describe_certificate(certificateId=id_)["certificateDescription"]
    except app.iot.exceptions.ResourceNotFoundException:
        return None
    return str(description["status"])


def tls(where: Ready, credentials: Credentials, *protocols: str) -> ssl.SSLContext:
    """A device's settings."""
    made = ssl.create_default_context(cafile=where.ca_file)
    made.load_cert_chain(credentials.certificate, credentials.key)
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


def https(where: Ready, credentials: Credentials) -> http.client.HTTPSConnection:
    """A connection that is kept alive."""
    context = tls(where, credentials, "x-amzn-http-ca")
    return http.client.HTTPSConnection(where.https.host, where.https.port, context=context, timeout=10)


def publish(connection: http.client.HTTPSConnection, topic: str) -> int:
    """One request on it; the status."""
    connection.request("POST", f"/topics/{topic}?qos=1", b"{}")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def post_crl(where: Ready, crl: x509.CertificateRevocationList) -> tuple[int, dict[str, Any]]:
    """Hand a revocation list to the platform, as whoever has the first access key."""
    url = f"{where.api}/_fogbank/certificates/crl"
    request = AWSRequest("POST", url, data=pki.crl_pem(crl))
    botocore.auth.SigV4Auth(Keys(where.access_key_id, where.secret_access_key), "iot", where.region).add_auth(request)
    prepared = request.prepare()
    asked = urllib.request.Request(url, pki.crl_pem(crl), dict(prepared.headers), method="POST")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())
