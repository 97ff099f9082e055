"""A key that never leaves its secure element: made in a PKCS#11 token, certified by its request, used for TLS there.

The token is SoftHSM's; a device has an ATECC608 or the like behind the same interface. What the platform sees is a
certificate signing request, and then a client that holds the key.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.ready import Ready

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib/libsofthsm2.so")
PIN = "648219"
LABEL = "device"

CONNECT = """
import sys
from awscrt import io, mqtt
from awsiot import mqtt_connection_builder
module, pin, label, certificate, ca, host, port, client, topic = sys.argv[1:]
device = mqtt_connection_builder.mtls_with_pkcs11(
    pkcs11_lib=io.Pkcs11Lib(file=module, behavior=io.Pkcs11Lib.InitializeFinalizeBehavior.STRICT),
    user_pin=pin, token_label=label, private_key_label=label, cert_filepath=certificate, ca_filepath=ca,
    endpoint=host, port=int(port), client_id=client, clean_session=True)
device.connect().result(10)
device.publish(topic, '{"from": "the token"}', mqtt.QoS.AT_LEAST_ONCE)[0].result(10)
device.disconnect().result(10)
"""


class Token:
    """A fresh token with one P-256 key in it."""

    def __init__(self, module: str, directory: Path) -> None:
        self.module = module
        tokens = directory / "tokens"
        tokens.mkdir()
        configuration = directory / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
        self.environment = {**os.environ, "SOFTHSM2_CONF": str(configuration), "PKCS11_MODULE_PATH": module}
        self._directory = directory
        self.run("softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN)
        self.tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", LABEL, "--id", "01")

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self.environment, cwd=self._directory, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def tool(self, *arguments: str) -> str:
        return self.run("pkcs11-tool", "--module", self.module, "--login", "--pin", PIN, *arguments)

    def request(self, common_name: str) -> str:
        """A certificate signing request, signed inside the token."""
        key = f"pkcs11:token={LABEL};object={LABEL};type=private?pin-value={PIN}"
        options = ("-engine", "pkcs11", "-keyform", "engine", "-key", key, "-subj", f"/CN={common_name}")
        self.run("openssl", "req", "-new", *options, "-out", "device.csr")
        return (self._directory / "device.csr").read_text()


@pytest.fixture
def token(tmp_path: Path) -> Token:
    module = next((one for one in MODULES if Path(one).exists()), None)
    if module is None or shutil.which("pkcs11-tool") is None or shutil.which("openssl") is None:
        pytest.skip("needs SoftHSM and OpenSC (apt: softhsm2 opensc libengine-pkcs11-openssl)")
    engines = subprocess.run(["openssl", "engine", "pkcs11"], capture_output=True, check=False)
    if engines.returncode != 0:
        pytest.skip("needs OpenSSL's PKCS#11 engine (apt: libengine-pkcs11-openssl)")
    return Token(module, tmp_path)


def test_the_key_stays_in_the_token(
    token: Token, app: App, where: Ready, watcher: SdkDevice, name: str, tmp_path: Path
) -> None:
    made = app.iot.create_certificate_from_csr(certificateSigningRequest=token.request(name), setAsActive=True)
    assert made.keys() & {"keyPair", "privateKey"} == set()
    app.iot.create_thing(thingName=name)
    policy = app.policy(("iot:Connect", f"client/{name}"), ("iot:Publish", f"topic/device/{name}"))
    app.iot.create_policy(policyName=name, policyDocument=json.dumps(policy))
    app.iot.attach_policy(policyName=name, target=made["certificateArn"])
    app.iot.attach_thing_principal(thingName=name, principal=made["certificateArn"])
    certificate = tmp_path / "device.pem"
    certificate.write_text(made["certificatePem"])
    watcher.subscribe(f"device/{name}")
    mqtt = (where.mqtts.host, str(where.mqtts.port), name, f"device/{name}")
    device = (sys.executable, "-c", CONNECT, token.module, PIN, LABEL, str(certificate), where.ca_file)
    token.run(*device, *mqtt)
    assert watcher.take(f"device/{name}") == {"from": "the token"}
    assert "never extractable" in token.tool("--list-objects", "--type", "privkey")


def test_a_ca_of_ones_own_signs_the_request(token: Token, tmp_path: Path, where: Ready, name: str) -> None:
    """`fogbank ca issue --csr`: the factory never sees the key either."""
    fogbank = (sys.executable, "-m", "fogbank.cli", "ca")
    (tmp_path / "lamp.csr").write_text(token.request(name))
    token.run(*fogbank, "create", "factory", "--out", "ca", "--unencrypted")
    signer = ("--ca", "ca/factory.cert.pem", "--key", "ca/factory.private.key")
    token.run(*fogbank, "issue", name, *signer, "--csr", "lamp.csr", "--server-ca", where.ca_file, "--out", "certs")
    assert sorted(one.name for one in (tmp_path / "certs").iterdir()) == ["ca.pem", f"{name}.cert.pem"]
    token.run("openssl", "verify", "-CAfile", "ca/factory.cert.pem", f"certs/{name}.cert.pem")
