"""What certificates open, tried from outside: of every state, at every door; and whom devices can make believe what."""

import datetime
import http.client
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from awscrt.exceptions import AwsCrtError
from botocore.exceptions import ClientError
from tests.e2e.clients.base import FAILURE, NOT_AUTHORIZED, Door, Options, Site, Version, Will
from tests.e2e.clients.paho import Paho
from tests.e2e.conftest import Connect
from tests.e2e.identity import FirstVersion, store
from tests.e2e.sdk import SdkDevice, certificate_arn
from tests.e2e.works import HOUR, Works, https, status
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.ready import Ready

QUIET = 0.5
"""Seconds in which what must not come has not come."""

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Name": {"Type": "String"}},
    "Resources": {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": {"ThingName": {"Ref": "Name"}}},
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": {"CertificateId": {"Ref": "AWS::IoT::Certificate::Id"}},
        },
    },
}

# --- what the platform alone says -------------------------------------------------------------------------------------

TOLD_BY_THE_PLATFORM = (
    "$aws/events/certificates/registered/{}",
    "$aws/events/presence/disconnected/{}",
    "$aws/events/thing/{}/deleted",
    "$aws/events/job/{}/completed",
    "$aws/events",
)


def client(where: Ready, app: App, device: Credentials, version: Version, **options: Any) -> Paho:
    def no_token() -> Any:
        raise AssertionError("this way needs none")

    site = Site(where, app, device.certificate, device.key, no_token)
    return Paho(site, version, Door.CERTIFICATE, Options(client_id=device.thing, **options))


@pytest.fixture
def mighty(app: App, name: str) -> Credentials:
    """A device with the policy that so many have."""
    return app.create_thing(name, app.policy(("iot:*", "*")))


@pytest.mark.parametrize("topic", TOLD_BY_THE_PLATFORM)
def test_nobody_forges_an_event(
    where: Ready, app: App, mighty: Credentials, watcher: SdkDevice, name: str, topic: str
) -> None:
    """A rule that activates certificates believes what it hears (developer guide, "Reserved topics": subscribe)."""
    topic = topic.format(name)
    watcher.subscribe("$aws/events/certificates/#", f"$aws/events/thing/{name}/#", f"$aws/events/job/{name}/#")
    watcher.subscribe(f"$aws/events/presence/disconnected/{name}")
    old = SdkDevice(where, mighty)
    old.connect()
    old.publish(topic, {"forged": True}, wait=False)
    old.interruptions.take("the connection to be ended")
    new = client(where, app, mighty, Version.V5)
    new.connect()
    assert new.publish(topic, b'{"forged": true}') == 0x90, "topic name invalid"
    new.close()
    with pytest.raises(ConnectionRefusedError):
        client(where, app, mighty, Version.V5, will=Will(topic, b'{"forged": true}')).connect()
    connection = https(where, mighty)
    assert post(connection, topic) == 400
    connection.close()
    with pytest.raises(ClientError, match="the platform alone publishes"):
        app.data.publish(topic=topic, payload=b"{}")
    old.close()
    watcher.publish("after/all", {})
    time.sleep(QUIET)
    assert [one for one in watcher.messages.waiting() if b"forged" in one.payload] == []


def post(connection: http.client.HTTPSConnection, topic: str) -> int:
    connection.request("POST", f"/topics/{topic.replace('$', '%24')}?qos=1", b'{"forged": true}')
    answer = connection.getresponse()
    answer.read()
    return answer.status


# --- answers to others ------------------------------------------------------------------------------------------------


def test_what_a_newcomer_is_given_nobody_else_hears(
    where: Ready, app: App, name: str, tmp_path: Path, connect: Connect, watcher: SdkDevice
) -> None:
    """The private key is in it."""
    app.iot.create_provisioning_template(
        templateName=name,
        templateBody=json.dumps(TEMPLATE),
        provisioningRoleArn=app.role("provisioner", "iot:*"),
        enabled=True,
    )

    def claim(which: str) -> Credentials:
        made = app.iot.create_provisioning_claim(templateName=name)
        return store(tmp_path, f"{name}-{which}", made["certificatePem"], made["keyPair"]["PrivateKey"])

    eavesdropper = connect(claim("ears"))
    for listener in (watcher, eavesdropper):
        listener.subscribe(
            "$aws/certificates/create/json/accepted", f"$aws/provisioning-templates/{name}/provision/json/accepted"
        )
    watcher.subscribe("$aws/certificates/#", "$aws/provisioning-templates/#", "$aws/certificates/create/+/+")
    newcomer = FirstVersion(where, claim("new"))
    given = newcomer.create_keys()
    thief = FirstVersion(where, claim("thief"))
    with pytest.raises(Exception, match="InvalidCertificateOwnershipToken"):
        thief.register(name, given.token, {"Name": f"{name}-stolen"})
    assert newcomer.register(name, given.token, {"Name": f"{name}-thing"}).thing == f"{name}-thing"
    newcomer.close()
    thief.close()
    time.sleep(QUIET)
    assert [*watcher.messages.waiting(), *eavesdropper.messages.waiting()] == []
    with pytest.raises(app.iot.exceptions.ResourceNotFoundException):
        app.iot.describe_thing(thingName=f"{name}-stolen")


@pytest.mark.parametrize("version", list(Version))
@pytest.mark.parametrize(
    "topic",
    [
        "$aws/things/{}/shadow/update",
        "$aws/things/{}/shadow/name/lock/get",
        "$aws/things/{}/jobs/get",
        "$aws/things/{}/jobs/start-next",
        "$aws/certificates/create/json",
        "$aws/provisioning-templates/{}/provision/json",
        "$aws/rules/{}/x",
        "{}/data",
    ],
)
def test_a_device_speaks_for_itself_alone(where: Ready, app: App, name: str, version: Version, topic: str) -> None:
    """Of another thing's topics it may neither hear nor say anything."""
    own = "$aws/things/${iot:Connection.Thing.ThingName}/*"
    device = app.create_thing(
        name,
        app.policy(
            ("iot:Connect", "client/${iot:Connection.Thing.ThingName}"),
            *((action, f"topic/{own}") for action in ("iot:Publish", "iot:Receive")),
            ("iot:Subscribe", f"topicfilter/{own}"),
        ),
    )
    foreign = topic.format(f"{name}-other")
    app.iot.create_thing(thingName=f"{name}-other")
    lamp = client(where, app, device, version)
    lamp.connect()
    refusal = FAILURE if version is Version.V3_1_1 else NOT_AUTHORIZED
    assert lamp.subscribe(f"$aws/things/{name}/shadow/#") == 1
    assert lamp.subscribe(f"{foreign}/#") in (refusal, 0x8F), "topic filter invalid: nobody hears Basic Ingest"
    assert lamp.subscribe("$aws/things/+/shadow/#") == refusal
    if version is Version.V5:
        assert lamp.publish(foreign, b'{"state": {"desired": {"open": true}}}') == NOT_AUTHORIZED
    lamp.close()
    connection = https(where, device)
    assert post(connection, foreign) == 403
    connection.close()
    assert app.shadow(f"{name}-other") == {}


# --- certificates in every state --------------------------------------------------------------------------------------

DATA_PLANE = (
    ("POST", "/topics/a"),
    ("GET", "/things/{}/shadow"),
    ("POST", "/things/{}/shadow"),
    ("DELETE", "/things/{}/shadow?name=lock"),
    ("GET", "/api/things/shadow/ListNamedShadowsForThing/{}"),
    ("GET", "/retainedMessage"),
    ("GET", "/retainedMessage/a"),
    ("GET", "/connections/{}"),
    ("DELETE", "/connections/{}"),
    ("GET", "/connections/{}/subscriptions"),
    ("POST", "/connections/{}/messages?topic=a"),
    ("GET", "/things/{}/jobs"),
    ("PUT", "/things/{}/jobs/$next"),
    ("GET", "/things/{}/jobs/j"),
    ("POST", "/things/{}/jobs/j"),
    ("GET", "/role-aliases/a/credentials"),
)
NOT_FOR_DEVICES = (
    ("GET", "/things"),
    ("POST", "/things/{}"),
    ("DELETE", "/things/{}"),
    ("POST", "/keys-and-certificate?setAsActive=true"),
    ("POST", "/policies/p"),
    ("PUT", "/target-policies/p"),
    ("PUT", "/certificates/{}?newStatus=ACTIVE"),
    ("POST", "/indices/search"),
    ("POST", "/provisioning-templates"),
    ("POST", "/2015-03-31/functions/f/invocations"),
    ("POST", "/"),
    ("GET", "/_fogbank/trace"),
    ("GET", "/_fogbank/metrics"),
    ("GET", "/_fogbank/code?token=x"),
    ("GET", "/_fogbank/registrations/report?token=x"),
    ("POST", "/_fogbank/registrations"),
    ("POST", "/_fogbank/certificates/crl"),
    ("POST", "/_fogbank/rules/r/test"),
    ("GET", "/confirmdestination/x"),
)
FOR_EVERYBODY = (("GET", "/_fogbank/health"), ("GET", "/_fogbank/ca.pem"))

State = Callable[[Ready, App, Works, str, Path], Credentials]


def without_policy(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
    device = app.create_thing(name, app.policy(("iot:Nothing", "x")))
    app.iot.detach_policy(policyName=f"{name}-policy", target=certificate_arn(app, device))
    return device


def of_status(new: str) -> State:
    def make(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
        device = app.create_thing(name, app.policy(("iot:*", "*")))
        app.iot.update_certificate(certificateId=certificate_arn(app, device).rpartition("/")[2], newStatus=new)
        return device

    return make


def pending(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
    """With all rights, but not activated."""
    device, id_ = works.make(name)
    with pytest.raises(AwsCrtError):
        SdkDevice(where, device).connect()
    app.create_policy(f"{name}-policy", app.policy(("iot:*", "*")))
    app.iot.attach_policy(policyName=f"{name}-policy", target=app.arn(f"cert/{id_}"))
    assert status(app, id_) == "PENDING_ACTIVATION"
    return device


def expired(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
    """Active, with all rights, and over in a moment."""
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(seconds=3)
    device, id_ = works.make(name, start=until - HOUR, end=until)
    app.iot.register_certificate(certificatePem=device.certificate.read_text(), status="ACTIVE")
    app.create_policy(f"{name}-policy", app.policy(("iot:*", "*")))
    app.iot.attach_policy(policyName=f"{name}-policy", target=app.arn(f"cert/{id_}"))
    eventually("the certificate to expire", lambda: datetime.datetime.now(datetime.UTC), lambda now: now > until)
    return device


def stranger(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
    """Signed by whoever."""
    return works.files(name, pki.Authority("Somebody").issue(name, key=(key := pki.new_key())), key)[0]


def claim(where: Ready, app: App, works: Works, name: str, directory: Path) -> Credentials:
    app.iot.create_provisioning_template(
        templateName=name, templateBody=json.dumps(TEMPLATE), provisioningRoleArn=app.role("provisioner", "iot:*")
    )
    made = app.iot.create_provisioning_claim(templateName=name)
    return store(directory, name, made["certificatePem"], made["keyPair"]["PrivateKey"])


STATES: dict[str, State] = {
    "without policy": without_policy,
    "INACTIVE": of_status("INACTIVE"),
    "REVOKED": of_status("REVOKED"),
    "PENDING_ACTIVATION": pending,
    "expired": expired,
    "stranger": stranger,
    "claim": claim,
}


@pytest.fixture
def works(app: App, tmp_path: Path) -> Works:
    return Works(app, tmp_path)


@pytest.mark.parametrize("state", STATES)
def test_what_a_certificate_opens_by_itself(
    where: Ready, app: App, works: Works, name: str, tmp_path: Path, state: str, request: pytest.FixtureRequest
) -> None:
    """Nothing: at most what is for everybody."""
    device = STATES[state](where, app, works, name, tmp_path)
    request.addfinalizer((connection := https(where, device)).close)

    def ask(method: str, path: str) -> tuple[int, bytes]:
        connection.request(method, path.format(name), b'{"status": "FAILED"}' if method in ("POST", "PUT") else None)
        answer = connection.getresponse()
        return answer.status, answer.read()

    for method, path in FOR_EVERYBODY:
        assert ask(method, path)[0] == 200, path
    for method, path in DATA_PLANE:
        code, text = ask(method, path)
        assert code == 403, (method, path, code, text)
        assert b"arn:aws" not in text, "who is refused is told nothing of what there is"
    for method, path in NOT_FOR_DEVICES:
        code, text = ask(method, path)
        assert code in (401, 403, 404, 405), (method, path, code, text)
    if state != "claim":
        with pytest.raises(AwsCrtError):
            SdkDevice(where, device).connect()


@pytest.mark.parametrize("version", list(Version))
def test_a_claim_is_good_for_one_thing(
    where: Ready, app: App, works: Works, name: str, tmp_path: Path, version: Version
) -> None:
    newcomer = client(where, app, claim(where, app, works, name, tmp_path), version)
    newcomer.connect()
    refusal = FAILURE if version is Version.V3_1_1 else NOT_AUTHORIZED
    others = "$aws/provisioning-templates/+/provision/#"
    for filter_ in ("#", "$aws/#", "$aws/things/+/shadow/#", "$aws/events/#", others):
        assert newcomer.subscribe(filter_) == refusal, filter_
    if version is Version.V5:
        for topic in ("x", f"$aws/things/{name}/shadow/update", "$aws/provisioning-templates/other/provision/json"):
            assert newcomer.publish(topic, b"{}") == NOT_AUTHORIZED, topic
    newcomer.close()
