"""`fogbank ca` against a running platform, as a user calls it: from a factory's first key to a device's last day."""

import json
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import paho.mqtt.client as paho
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from paho.mqtt.enums import CallbackAPIVersion
from tests.cli.server import Server

from fogbank.cli.ca import CA_KEY_PASSPHRASE
from fogbank.cli.demo.inbox import eventually
from fogbank.registry.certificates import certificate_id_of


class Factory:
    """Runs `fogbank ca ...` in a directory of its own."""

    def __init__(self, server: Server, directory: Path) -> None:
        self.server = server
        self.directory = directory
        ready = server.ready
        self.iot = boto3.session.Session().client(
            "iot",
            endpoint_url=ready["api"],
            region_name=ready["region"],
            aws_access_key_id=ready["access_key_id"],
            aws_secret_access_key=ready["secret_access_key"],
        )

    def run(self, *arguments: str, fails: bool = False, passphrase: str | None = None) -> str:
        command = [sys.executable, "-m", "fogbank.cli", "ca", *arguments]
        done = subprocess.run(
            command,
            env=self.server.environment | ({} if passphrase is None else {CA_KEY_PASSPHRASE: passphrase}),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert (done.returncode != 0) is fails, done.stderr + done.stdout
        return done.stderr if fails else done.stdout

    def register(self, *options: str) -> str:
        """A new CA, registered; its ID."""
        self.run("create", "factory", "--out", ".", "--unencrypted")
        told = self.run("register", "factory.cert.pem", "--key", "factory.private.key", *options)
        return told.split()[1]

    def issue(self, name: str, *options: str) -> Path:
        signer = ("--ca", "factory.cert.pem", "--key", "factory.private.key")
        self.run("issue", name, *signer, "--out", ".", *options)
        return self.directory / f"{name}.cert.pem"

    def status(self, certificate: Path) -> str:
        der = x509.load_pem_x509_certificate(certificate.read_bytes()).public_bytes(Encoding.DER)
        found = self.iot.describe_certificate(certificateId=certificate_id_of(der))
        return str(found["certificateDescription"]["status"])

    def connects(self, name: str) -> bool:
        """Whether the device is let in."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
        context = ssl.create_default_context(cafile=str(self.directory / "ca.pem"))
        context.load_cert_chain(self.directory / f"{name}.cert.pem", self.directory / f"{name}.private.key")
        client.tls_set_context(context)
        answers: list[bool] = []
        client.on_connect = lambda c, u, f, reason, p: answers.append(not reason.is_failure)
        mqtt = self.server.ready["mqtts"]
        client.connect(mqtt["host"], mqtt["port"])
        while not answers and client.loop(0.1) == paho.MQTT_ERR_SUCCESS:
            pass
        client.disconnect()
        return answers == [True]


@pytest.fixture
def factory(server: Server, tmp_path: Path) -> Any:
    factory = Factory(server, tmp_path)
    yield factory
    factory.iot.close()


def test_from_the_first_key_to_the_revocation_list(factory: Factory) -> None:
    id_ = factory.register("--auto")
    described = factory.iot.describe_ca_certificate(certificateId=id_)["certificateDescription"]
    assert (described["status"], described["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    assert f"{id_}  ACTIVE    auto  CN=factory" in factory.run("list")
    lamp = factory.issue("lamp-1")
    assert not factory.connects("lamp-1"), "it registers itself"
    assert factory.status(lamp) == "PENDING_ACTIVATION"
    signer = ("--ca", "factory.cert.pem", "--key", "factory.private.key")
    assert "1 revoked" in factory.run("crl", "lamp-1.cert.pem", *signer, "--out", "list.pem")
    told = factory.run("revoke", "list.pem")
    assert "1" in told
    assert factory.status(lamp) == "REVOKED"
    factory.run("update", id_, "--no-auto")
    assert f"{id_}  ACTIVE    -     CN=factory" in factory.run("list")
    factory.run("delete", id_)
    assert id_ not in factory.run("list")
    assert not factory.connects("lamp-1")


def test_a_template_provisions(factory: Factory) -> None:
    name = {"Ref": "AWS::IoT::Certificate::CommonName"}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"}]}
    template = {
        "Parameters": {
            "AWS::IoT::Certificate::CommonName": {"Type": "String"},
            "AWS::IoT::Certificate::Id": {"Type": "String"},
        },
        "Resources": {
            "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": name}},
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "ACTIVE"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": policy}},
        },
    }
    (factory.directory / "lamp.json").write_text(json.dumps(template))
    role = f"arn:aws:iam::{factory.server.ready['account_id']}:role/provisioner"
    factory.register("--auto", "--template-body", "lamp.json", "--role", role)
    lamp = factory.issue("lamp-2")
    assert not factory.connects("lamp-2")
    eventually("the lamp to be active", lambda: factory.status(lamp), lambda status: status == "ACTIVE")
    assert factory.connects("lamp-2")
    assert factory.iot.describe_thing(thingName="lamp-2")["thingName"] == "lamp-2"


def test_the_key_is_encrypted_unless_one_insists(factory: Factory) -> None:
    factory.run("create", "factory", "--out", ".", passphrase="open sesame")
    key = factory.directory / "factory.private.key"
    assert "ENCRYPTED" in key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    signed = ("issue", "lamp", "--ca", "factory.cert.pem", "--key", "factory.private.key", "--out", ".")
    assert "no passphrase for factory.private.key" in factory.run(*signed, fails=True)
    assert "the passphrase is wrong" in factory.run(*signed, fails=True, passphrase="x")
    (factory.directory / "secret").write_text("open sesame\n")
    factory.run(*signed, "--passphrase-file", "secret")
    assert "no passphrase for the new key" in factory.run("create", "other", "--out", ".", fails=True)


def test_nothing_is_overwritten(factory: Factory) -> None:
    factory.run("create", "factory", "--out", ".", "--unencrypted")
    key = (factory.directory / "factory.private.key").read_bytes()
    assert "exists and is not overwritten" in factory.run(
        "create", "factory", "--out", ".", "--unencrypted", fails=True
    )
    assert (factory.directory / "factory.private.key").read_bytes() == key


def test_a_ca_without_proof(factory: Factory) -> None:
    factory.run("create", "factory", "--out", ".", "--unencrypted")
    told = factory.run("register", "factory.cert.pem", "--sni-only")
    described = factory.iot.describe_ca_certificate(certificateId=told.split()[1])["certificateDescription"]
    assert described["certificateMode"] == "SNI_ONLY"
    assert "say --key FILE, or --sni-only" in factory.run("register", "factory.cert.pem", fails=True)


def test_errors_name_what_is_wrong(factory: Factory) -> None:
    assert "cannot delete " in factory.run("delete", "0" * 64, fails=True)
    (factory.directory / "nonsense").write_text("nonsense")
    assert "is not a certificate in PEM" in factory.run("register", "nonsense", "--key", "nonsense", fails=True)
    assert "revocation list" in factory.run("revoke", "nonsense", fails=True)
    assert "say what to change" in factory.run("update", "0" * 64, fails=True)
