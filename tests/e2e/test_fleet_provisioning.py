"""Fleet provisioning end to end: a device with a claim, AWS's client for it, and a template of the account's owner."""

import datetime
import json
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.e2e.conftest import Connect, CreateRule
from tests.e2e.identity import (
    Become,
    ByCbor,
    FirstVersion,
    MakeNewcomer,
    Newcomer,
    RejectedError,
    SecondVersion,
    SecondVersion5,
    store,
)
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.server import Server
from fogbank.cli.demo.trace import TraceStream
from fogbank.ready import Ready

Claim = Callable[[str], Credentials]
Come = Callable[..., Newcomer]

WAYS: dict[str, MakeNewcomer] = {"v1": FirstVersion, "v2": SecondVersion, "v2 by MQTT 5": SecondVersion5}
EMPTY_REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"


def template(app: App, name: str) -> dict[str, Any]:
    """Devices of a test, whose names begin with the test's; each may speak for itself alone."""
    thing = {"Fn::Join": ["", [name, "-", {"Ref": "SerialNumber"}]]}
    arn = f"{app.arn('')}{{}}/${{{{iot:Connection.Thing.ThingName}}}}".format
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": arn("client")},
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": arn("topic/fleet")},
        ],
    }
    return {
        "Parameters": {"SerialNumber": {"Type": "String"}, "Site": {"Type": "String", "Default": "hall"}},
        "Mappings": {"Sites": {"hall": {"url": "https://hall.example"}, "yard": {"url": "https://yard.example"}}},
        "Resources": {
            "thing": {
                "Type": "AWS::IoT::Thing",
                "Properties": {"ThingName": thing, "AttributePayload": {"site": {"Ref": "Site"}}},
            },
            "certificate": {
                "Type": "AWS::IoT::Certificate",
                "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}, "Status": "Active"},
            },
            "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyDocument": json.dumps(policy)}},
        },
        "DeviceConfiguration": {"url": {"Fn::FindInMap": ["Sites", {"Ref": "Site"}, "url"]}},
    }


@pytest.fixture
def made(app: App, name: str) -> str:
    """The name of an enabled template."""
    app.iot.create_provisioning_template(
        templateName=name,
        templateBody=json.dumps(template(app, name)),
        provisioningRoleArn=app.role("provisioner", "iot:*"),
        enabled=True,
    )
    return name


@pytest.fixture
def claim(app: App, tmp_path: Path) -> Claim:
    """`claim(template)`: a certificate that a factory puts on many devices, with the guide's policy for that."""

    def make(template_name: str) -> Credentials:
        topics = [
            "$aws/certificates/create/*",
            "$aws/certificates/create-from-csr/*",
            f"$aws/provisioning-templates/{template_name}/provision/*",
        ]
        policy = app.policy(
            ("iot:Connect", "client/*"),
            *((action, f"topic/{topic}") for topic in topics for action in ("iot:Publish", "iot:Receive")),
            *(("iot:Subscribe", f"topicfilter/{topic}") for topic in topics),
        )
        certificate = app.iot.create_keys_and_certificate(setAsActive=True)
        app.create_policy(f"{template_name}-claim", policy)
        app.iot.attach_policy(policyName=f"{template_name}-claim", target=certificate["certificateArn"])
        pem, key = certificate["certificatePem"], certificate["keyPair"]["PrivateKey"]
        return store(tmp_path, f"{template_name}-newcomer", pem, key)

    return make


@pytest.fixture
def trusted(app: App, tmp_path: Path) -> Claim:
    """`trusted(template)`: a claim as the app of somebody who sets a device up fetches it."""

    def make(template_name: str) -> Credentials:
        made = app.iot.create_provisioning_claim(templateName=template_name)
        return store(tmp_path, f"{template_name}-trusted", made["certificatePem"], made["keyPair"]["PrivateKey"])

    return make


@pytest.fixture
def come(where: Ready) -> Iterator[Come]:
    """`come(credentials, way)`: a device that holds a claim, connected."""
    there: list[Newcomer] = []

    def come(credentials: Credentials, way: MakeNewcomer = FirstVersion) -> Newcomer:
        newcomer = way(where, credentials)
        there.append(newcomer)
        return newcomer

    yield come
    for newcomer in there:
        newcomer.close()


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    """One that never leaves the device."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def csr(key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a new device")])
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def rejected(call: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(RejectedError) as error:
        call()
    assert error.value.text
    return error.value.status, error.value.code


def assert_works(where: Ready, app: App, connect: Connect, credentials: Credentials, certificate: str) -> None:
    """The device is what the template says: it is in with what it was given, and may do what it may do."""
    device = connect(credentials)
    device.publish(f"fleet/{credentials.thing}", {"on": True})
    [arn] = app.iot.list_thing_principals(thingName=credentials.thing)["principals"]
    assert arn.endswith(certificate)
    described = app.iot.describe_certificate(certificateId=certificate)["certificateDescription"]
    assert described["status"] == "ACTIVE"


class TestByClaim:
    @pytest.mark.parametrize("way", WAYS)
    def test_a_device_gets_keys_and_becomes_a_thing(
        self, where: Ready, app: App, made: str, claim: Claim, come: Come, connect: Connect, tmp_path: Path, way: str
    ) -> None:
        newcomer = come(claim(made), WAYS[way])
        given = newcomer.create_keys()
        assert given.private_key is not None
        become = newcomer.register(made, given.token, {"SerialNumber": "1"})
        assert become == Become(f"{made}-1", {"url": "https://hall.example"})
        credentials = store(tmp_path, f"{made}-1", given.pem, given.private_key)
        assert_works(where, app, connect, credentials, given.id)
        assert app.iot.describe_thing(thingName=f"{made}-1")["attributes"] == {"site": "hall"}

    @pytest.mark.parametrize("way", WAYS)
    def test_a_device_keeps_its_key_to_itself(
        self,
        where: Ready,
        app: App,
        made: str,
        claim: Claim,
        come: Come,
        connect: Connect,
        tmp_path: Path,
        way: str,
        key: ec.EllipticCurvePrivateKey,
        csr: str,
    ) -> None:
        newcomer = come(claim(made), WAYS[way])
        given = newcomer.create_from_csr(csr)
        become = newcomer.register(made, given.token, {"SerialNumber": "1", "Site": "yard"})
        assert become.configuration == {"url": "https://yard.example"}
        credentials = store(tmp_path, f"{made}-1", given.pem, pem(key))
        assert_works(where, app, connect, credentials, given.id)

    def test_in_cbor(
        self,
        where: Ready,
        app: App,
        made: str,
        claim: Claim,
        come: Come,
        connect: Connect,
        tmp_path: Path,
        key: ec.EllipticCurvePrivateKey,
        csr: str,
    ) -> None:
        newcomer = come(claim(made), partial(ByCbor, app=app))
        given = newcomer.create_keys()
        assert given.private_key is not None
        assert newcomer.register(made, given.token, {"SerialNumber": "1"}).thing == f"{made}-1"
        assert_works(where, app, connect, store(tmp_path, f"{made}-1", given.pem, given.private_key), given.id)
        given = newcomer.create_from_csr(csr)
        assert newcomer.register(made, given.token, {"SerialNumber": "2"}).thing == f"{made}-2"
        assert_works(where, app, connect, store(tmp_path, f"{made}-2", given.pem, pem(key)), given.id)
        assert rejected(lambda: newcomer.create_from_csr("x")) == (400, "InvalidCSR")

    def test_a_certificate_is_good_for_nothing_before(
        self, where: Ready, app: App, made: str, claim: Claim, come: Come, tmp_path: Path
    ) -> None:
        given = come(claim(made)).create_keys()
        described = app.iot.describe_certificate(certificateId=given.id)["certificateDescription"]
        assert described["status"] == "PENDING_ACTIVATION"
        device = SdkDevice(where, store(tmp_path, f"{made}-1", given.pem, given.private_key or ""))
        with pytest.raises(AwsCrtError):
            device.connect()

    def test_each_step_is_traced(self, made: str, claim: Claim, come: Come, trace: TraceStream) -> None:
        newcomer = come(claim(made))
        given = newcomer.create_keys()
        with pytest.raises(RejectedError):
            newcomer.register(made, given.token, {})
        newcomer.register(made, given.token, {"SerialNumber": "1"})
        mine = [
            trace.events.take("a step", lambda one: one.kind == "provisioning" and made in one.client_id)
            for _ in range(3)
        ]
        assert [(one.name, one.status) for one in mine] == [
            ("CreateKeysAndCertificate", "success"),
            ("RegisterThing", "denied"),
            ("RegisterThing", "success"),
        ]
        assert "SerialNumber" in mine[1].reason
        assert (mine[2].detail or {})["thingName"] == f"{made}-1"


class TestByTrustedUser:
    @pytest.mark.parametrize("way", WAYS)
    def test_a_device_becomes_a_thing(
        self,
        where: Ready,
        app: App,
        made: str,
        trusted: Claim,
        come: Come,
        connect: Connect,
        tmp_path: Path,
        way: str,
        key: ec.EllipticCurvePrivateKey,
        csr: str,
    ) -> None:
        newcomer = come(trusted(made), WAYS[way])
        given = newcomer.create_from_csr(csr)
        newcomer.register(made, given.token, {"SerialNumber": "1"})
        assert_works(where, app, connect, store(tmp_path, f"{made}-1", given.pem, pem(key)), given.id)

    def test_a_claim_is_in_no_list_and_ends_soon(self, app: App, made: str) -> None:
        claim = app.iot.create_provisioning_claim(templateName=made)
        listed = app.iot.get_paginator("list_certificates").paginate()
        assert claim["certificateId"] not in [one["certificateId"] for page in listed for one in page["certificates"]]
        certificate = x509.load_pem_x509_certificate(claim["certificatePem"].encode())
        assert certificate.not_valid_after_utc == claim["expiration"]
        left = claim["expiration"] - datetime.datetime.now(datetime.UTC)
        assert 240 < left.total_seconds() <= 300

    def test_a_claim_is_for_its_template_alone(
        self, app: App, made: str, trusted: Claim, come: Come, connect: Connect, csr: str
    ) -> None:
        app.iot.create_provisioning_template(
            templateName=f"{made}-other",
            templateBody=json.dumps(template(app, made)),
            provisioningRoleArn=app.role("provisioner", "iot:*"),
            enabled=True,
        )
        newcomer = come(trusted(made), SecondVersion)
        given = newcomer.create_from_csr(csr)
        with pytest.raises(Exception, match=r"(?i)subscri|terminat|interrupt|fail"):
            newcomer.register(f"{made}-other", given.token, {"SerialNumber": "1"})
        assert not _exists(app, f"{made}-1")


def _exists(app: App, thing: str) -> bool:
    try:
        app.iot.describe_thing(thingName=thing)
    except app.iot.exceptions.ResourceNotFoundException:
        return False
    return True


class TestRefusals:
    @pytest.fixture
    def newcomer(self, made: str, claim: Claim, come: Come) -> Newcomer:
        return come(claim(made))

    def test_a_template_that_is_off(self, app: App, made: str, newcomer: Newcomer, csr: str) -> None:
        app.iot.update_provisioning_template(templateName=made, enabled=False)
        given = newcomer.create_from_csr(csr)
        register = partial(newcomer.register, made, given.token, {"SerialNumber": "1"})
        assert rejected(register) == (403, "AccessDenied")
        app.iot.update_provisioning_template(templateName=made, enabled=True)
        assert register().thing == f"{made}-1"

    def test_a_template_that_is_gone(self, app: App, made: str, newcomer: Newcomer, csr: str) -> None:
        app.iot.delete_provisioning_template(templateName=made)
        given = newcomer.create_from_csr(csr)
        register = partial(newcomer.register, made, given.token, {"SerialNumber": "1"})
        assert rejected(register) == (404, "ResourceNotFound")

    def test_tokens(self, made: str, newcomer: Newcomer, trusted: Claim, come: Come, csr: str) -> None:
        own, others = newcomer.create_from_csr(csr), come(trusted(made)).create_from_csr(csr)
        lamp = {"SerialNumber": "1"}
        no_good = (400, "InvalidCertificateOwnershipToken")
        for token in ("", "x", own.token[:-6] + "AAAAAA", others.token):
            assert rejected(partial(newcomer.register, made, token, lamp)) == no_good
        become = newcomer.register(made, own.token, lamp)
        assert newcomer.register(made, own.token, lamp) == become  # whoever lost the answer hears it again
        assert rejected(lambda: newcomer.register(made, own.token, {"SerialNumber": "2"})) == no_good

    @pytest.mark.parametrize("serial", ["a b", "#", "${iot:ClientId}", "ü", "x" * 128, "../x", '"}'])
    def test_names_that_cannot_be(self, app: App, made: str, newcomer: Newcomer, csr: str, serial: str) -> None:
        given = newcomer.create_from_csr(csr)
        register = partial(newcomer.register, made, given.token)
        assert rejected(lambda: register({"SerialNumber": serial})) == (400, "InvalidParameters")
        described = app.iot.describe_certificate(certificateId=given.id)["certificateDescription"]
        assert described["status"] == "PENDING_ACTIVATION"
        assert register({"SerialNumber": "1"}).thing == f"{made}-1"

    def test_a_certificate_of_somebody_else(self, app: App, made: str, newcomer: Newcomer, csr: str) -> None:
        victim = app.iot.create_certificate_from_csr(certificateSigningRequest=csr)
        given = newcomer.create_from_csr(csr)
        stolen = {"SerialNumber": "1", "AWS::IoT::Certificate::Id": victim["certificateId"]}
        assert rejected(lambda: newcomer.register(made, given.token, stolen)) == (400, "InvalidParameters")

    @pytest.mark.parametrize("request_", ["", "x", EMPTY_REQUEST])
    def test_requests_for_certificates_that_are_none(self, newcomer: Newcomer, request_: str) -> None:
        assert rejected(lambda: newcomer.create_from_csr(request_)) == (400, "InvalidCSR")

    def test_a_role_that_may_not(self, app: App, made: str, newcomer: Newcomer, csr: str) -> None:
        may_not = app.role("no-provisioner", "iot:DescribeThing")
        app.iot.update_provisioning_template(templateName=made, provisioningRoleArn=may_not)
        given = newcomer.create_from_csr(csr)
        assert rejected(lambda: newcomer.register(made, given.token, {"SerialNumber": "1"})) == (403, "AccessDenied")
        assert not _exists(app, f"{made}-1")

    def test_a_claim_without_rights(self, app: App, made: str, connect: Connect, tmp_path: Path, name: str) -> None:
        certificate = app.iot.create_keys_and_certificate(setAsActive=True)
        app.create_policy(f"{name}-connect", app.policy(("iot:Connect", "*")))
        app.iot.attach_policy(policyName=f"{name}-connect", target=certificate["certificateArn"])
        pem, private = certificate["certificatePem"], certificate["keyPair"]["PrivateKey"]
        device = connect(store(tmp_path, f"{name}-poor", pem, private))
        subscribed, _ = device.connection.subscribe("$aws/certificates/create/json/accepted", mqtt.QoS.AT_LEAST_ONCE)
        with pytest.raises(mqtt.SubscribeError):
            subscribed.result(10)
        device.publish("$aws/certificates/create/json", {}, wait=False)
        device.interruptions.take("the end of the connection")


class TestHooks:
    def hook(self, app: App, made: str, source: str) -> None:
        function = app.create_function(f"{made}-hook", f"def handler(event, context):\n    {source}\n")
        app.functions.add_permission(
            FunctionName=function,
            StatementId="provisioning",
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            SourceArn=app.arn(f"provisioningtemplate/{made}"),
        )
        app.iot.update_provisioning_template(templateName=made, preProvisioningHook={"targetArn": function})

    @pytest.fixture
    def register(self, made: str, claim: Claim, come: Come, csr: str) -> Callable[[], Become]:
        newcomer = come(claim(made))
        given = newcomer.create_from_csr(csr)
        return lambda: newcomer.register(made, given.token, {"SerialNumber": "1"})

    def test_one_that_allows_and_overrides(self, app: App, made: str, register: Callable[[], Become]) -> None:
        source = (
            "return {'allowProvisioning': event['parameters']['SerialNumber'] == '1' and bool(event['certificatePem']),"
            " 'parameterOverrides': {'Site': 'yard', 'SerialNumber': '2'}}"
        )
        self.hook(app, made, source)
        assert register() == Become(f"{made}-2", {"url": "https://yard.example"})
        assert app.iot.describe_thing(thingName=f"{made}-2")["attributes"] == {"site": "yard"}

    @pytest.mark.parametrize(
        "source", ["return {'allowProvisioning': False}", "return {}", "return None", "raise ValueError('no')"]
    )
    def test_one_that_does_not(self, app: App, made: str, register: Callable[[], Become], source: str) -> None:
        self.hook(app, made, source)
        assert rejected(register) == (403, "AccessDenied")
        assert not _exists(app, f"{made}-1")
        app.iot.update_provisioning_template(templateName=made, removePreProvisioningHook=True)
        assert register().thing == f"{made}-1"

    @pytest.mark.slow
    def test_one_that_takes_too_long(
        self, app: App, made: str, register: Callable[[], Become], trace: TraceStream
    ) -> None:
        """It has five seconds, however long the function's own timeout is."""
        self.hook(app, made, "import time; time.sleep(8); return {'allowProvisioning': True}")
        app.functions.update_function_configuration(FunctionName=f"{made}-hook", Timeout=30)
        assert rejected(register) == (403, "AccessDenied")
        asked = trace.events.take("the hook", lambda one: one.name.startswith("hook") and made in one.name)
        assert "5 seconds" in asked.reason

    def test_one_that_may_not_be_asked(self, app: App, made: str, register: Callable[[], Become]) -> None:
        self.hook(app, made, "return {'allowProvisioning': True}")
        app.functions.remove_permission(FunctionName=f"{made}-hook", StatementId="provisioning")
        assert rejected(register) == (403, "AccessDenied")


class TestSecrecy:
    def test_nobody_else_hears_questions_or_answers(
        self, app: App, made: str, claim: Claim, come: Come, watcher: SdkDevice, create_rule: CreateRule, csr: str
    ) -> None:
        filters = ("$aws/certificates/#", f"$aws/provisioning-templates/{made}/#")
        watcher.subscribe(*filters, f"heard/{made}")
        create_rule(f"SELECT * FROM '{filters[1]}'", app.republish(f"heard/{made}"))
        newcomer = come(claim(made))
        newcomer.create_keys()
        given = newcomer.create_from_csr(csr)
        newcomer.register(made, given.token, {"SerialNumber": "1"})
        watcher.publish(f"heard/{made}", {"end": True})
        assert watcher.take(f"heard/{made}") == {"end": True}
        heard = [one.topic for one in watcher.messages.waiting()]
        assert [topic for topic in heard if made in topic or "certificates" in topic] == []

    def test_nobody_answers_in_our_place(
        self, made: str, claim: Claim, come: Come, watcher: SdkDevice, csr: str
    ) -> None:
        """A claim allows its holder to publish to the topics of answers; that reaches nobody."""
        newcomer = come(claim(made))
        newcomer.create_from_csr(csr)
        forged = {"certificateId": "forged", "certificatePem": "", "certificateOwnershipToken": ""}
        watcher.publish("$aws/certificates/create-from-csr/json/accepted", forged)
        assert newcomer.create_from_csr(csr).id != "forged"


def test_a_token_outlives_the_server(tmp_path: Path, csr: str, key: ec.EllipticCurvePrivateKey) -> None:
    """A server that is killed with SIGKILL between two steps knows the device when it is back."""
    server = Server(tmp_path / "data", tmp_path / "log")
    where = server.start()
    app = App(where, tmp_path)
    app.iot.create_provisioning_template(
        templateName="T",
        templateBody=json.dumps(template(app, "T")),
        provisioningRoleArn=app.role("provisioner", "iot:*"),
        enabled=True,
    )
    claim = app.iot.create_provisioning_claim(templateName="T")
    credentials = store(tmp_path, "newcomer", claim["certificatePem"], claim["keyPair"]["PrivateKey"])
    newcomer = FirstVersion(where, credentials)
    given = newcomer.create_from_csr(csr)
    server.stop(signal.SIGKILL)
    newcomer.close()
    try:
        where = server.start()
        newcomer = FirstVersion(where, credentials)
        become = newcomer.register("T", given.token, {"SerialNumber": "1"})
        assert become.thing == "T-1"
        server.stop(signal.SIGKILL)
        newcomer.close()
        where = server.start()
        newcomer = FirstVersion(where, credentials)
        assert newcomer.register("T", given.token, {"SerialNumber": "1"}) == become
        newcomer.close()
        device = SdkDevice(where, store(tmp_path, "T-1", given.pem, pem(key)))
        device.connect()
        device.publish("fleet/T-1", {})
        device.close()
    finally:
        server.stop()
