"""`fogbank thing` against a running platform, as a user calls it."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.cli.server import Server

from fogbank.cli.thing import DEFAULT_POLICY, default_policy
from fogbank.policy import PolicySet, connection_variables
from fogbank.ports import PolicyDocument, ThingContext

READER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iot:Receive", "Resource": "arn:aws:iot:*:*:topic/room/*"}],
}


def run(
    server: Server, *arguments: str | Path, fails: bool = False, environment: Mapping[str, str] | None = None
) -> str:
    """What `fogbank thing ...` says, by default pointed at the server by FOGBANK_DATA."""
    command = [sys.executable, "-m", "fogbank.cli", "thing", *map(str, arguments)]
    done = subprocess.run(
        command, env={**server.environment, **(environment or {})}, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


@contextmanager
def api(server: Server, service: str = "iot") -> Iterator[Any]:
    ready = server.ready
    client = boto3.session.Session().client(
        service,
        endpoint_url=ready["api"],
        region_name=ready["region"],
        aws_access_key_id=ready["access_key_id"],
        aws_secret_access_key=ready["secret_access_key"],
    )
    try:
        yield client
    finally:
        client.close()


@contextmanager
def plane(server: Server) -> Iterator[Any]:
    """The data plane."""
    with api(server, "iot-data") as client:
        yield client


def certificates(iot: Any) -> list[str]:
    return sorted(one["certificateId"] for one in iot.list_certificates(pageSize=250)["certificates"])


def test_create_makes_everything_a_device_needs(server: Server, tmp_path: Path) -> None:
    said = run(server, "create", "lamp", "--type", "bulb", "--out", tmp_path)
    with api(server) as iot:
        assert iot.describe_thing(thingName="lamp")["thingTypeName"] == "bulb"
        [arn] = iot.list_thing_principals(thingName="lamp")["principals"]
        certificate = iot.describe_certificate(certificateId=arn.rpartition("/")[2])["certificateDescription"]
        assert certificate["status"] == "ACTIVE"
        assert certificate["certificatePem"] == (tmp_path / "lamp.cert.pem").read_text()
        policies = iot.list_attached_policies(target=arn)["policies"]
    assert [one["policyName"] for one in policies] == [DEFAULT_POLICY]
    assert certificate["certificateId"] in said
    ssl.create_default_context().load_cert_chain(tmp_path / "lamp.cert.pem", tmp_path / "lamp.private.key")
    assert (tmp_path / "ca.pem").read_bytes() == Path(server.ready["ca_file"]).read_bytes()


def test_the_lines_it_prints_connect(server: Server, tmp_path: Path) -> None:
    said = run(server, "create", "printed", "--out", tmp_path)
    script = said[said.index("from awscrt") :]
    subprocess.run([sys.executable, "-c", script], env=server.environment, timeout=30, check=True)


def test_by_the_environment_that_fogbank_env_sets(server: Server, tmp_path: Path) -> None:
    elsewhere = {**server.aws_environment, "FOGBANK_DATA": str(tmp_path / "nowhere")}
    run(server, "create", "scripted", "--out", tmp_path, environment=elsewhere)
    assert (tmp_path / "ca.pem").read_bytes() == Path(server.ready["ca_file"]).read_bytes()
    assert "scripted" in run(server, "list", environment=elsewhere).split()


def test_data_outranks_the_environment(server: Server) -> None:
    run(
        server,
        "list",
        "--data",
        server.data,
        environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "FOGBANK_DATA": "/nowhere"},
    )


def test_a_policy_from_a_file_is_shared_by_those_made_from_it(server: Server, tmp_path: Path) -> None:
    policy = tmp_path / "rooms & halls.json"
    policy.write_text(json.dumps(READER))
    names = set()
    for name in ("reader-1", "reader-2"):
        said = run(server, "create", name, "--policy", policy, "--out", tmp_path / "certs")
        [line] = [line for line in said.splitlines() if line.startswith("policy")]
        names.add(line.split()[1])
    [policy_name] = names
    assert policy_name.startswith("rooms---halls-")
    with api(server) as iot:
        assert json.loads(iot.get_policy(policyName=policy_name)["policyDocument"]) == READER
        assert len(iot.list_targets_for_policy(policyName=policy_name)["targets"]) == 2


def test_a_thing_that_exists_gets_one_more_certificate(server: Server, tmp_path: Path) -> None:
    run(server, "create", "twice", "--out", tmp_path / "1")
    assert "existed" in run(server, "create", "twice", "--out", tmp_path / "2")
    with api(server) as iot:
        assert len(iot.list_thing_principals(thingName="twice")["principals"]) == 2
    assert "is of no type, not bulb" in run(
        server, "create", "twice", "--type", "bulb", "--out", tmp_path / "3", fails=True
    )


def test_files_in_the_way_are_found_before_anything_is_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "blocked.private.key").write_text("mine")
    assert "is not overwritten" in run(server, "create", "blocked", "--out", tmp_path, fails=True)
    assert "blocked" not in run(server, "list").split()
    assert (tmp_path / "blocked.private.key").read_text() == "mine"


def test_what_fails_halfway_leaves_nothing(server: Server, tmp_path: Path) -> None:
    policy = tmp_path / "broken.json"
    policy.write_text("{")
    with api(server) as iot:
        before = certificates(iot)
        error = run(server, "create", "halfway", "--policy", policy, "--out", tmp_path / "certs", fails=True)
        assert error.startswith("Error: cannot create halfway: ")
        assert "MalformedPolicyException" in error
        assert certificates(iot) == before
    assert "halfway" not in run(server, "list").split()
    assert list((tmp_path / "certs").iterdir()) == []


@pytest.mark.parametrize("name", ["has space", "a/b", "x" * 129, "../up"])
def test_a_name_that_no_thing_may_have(server: Server, tmp_path: Path, name: str) -> None:
    error = run(server, "create", name, "--out", tmp_path / "certs", fails=True)
    assert error.startswith("Error: ")
    assert error.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_delete_removes_the_thing_its_certificates_and_its_shadow(server: Server, tmp_path: Path) -> None:
    run(server, "create", "brief", "--out", tmp_path)
    with api(server) as iot:
        own = x509.load_pem_x509_certificate((tmp_path / "brief.cert.pem").read_bytes())
        [arn] = iot.list_thing_principals(thingName="brief")["principals"]
        said = run(server, "delete", "brief")
        assert "deleted" in said
        assert arn.rpartition("/")[2] not in certificates(iot)
        with pytest.raises(iot.exceptions.ResourceNotFoundException):
            iot.describe_thing(thingName="brief")
        assert iot.get_policy(policyName=DEFAULT_POLICY)["policyName"] == DEFAULT_POLICY
    assert own.serial_number  # the files on disk are the user's
    assert "ResourceNotFoundException" in run(server, "delete", "brief", fails=True)


def test_delete_leaves_a_certificate_that_another_thing_uses(server: Server, tmp_path: Path) -> None:
    for name in ("shared-1", "shared-2"):
        run(server, "create", name, "--out", tmp_path)
    with api(server) as iot:
        [arn] = iot.list_thing_principals(thingName="shared-2")["principals"]
        iot.attach_thing_principal(thingName="shared-1", principal=arn)
        said = run(server, "delete", "shared-1")
        assert f"{arn.rpartition('/')[2]}  detached (another thing uses it)" in said
        assert iot.list_thing_principals(thingName="shared-2")["principals"] == [arn]


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "no Fogbank answers at http://127.0.0.1:1"),
        ({"AWS_ENDPOINT_URL": "file:///etc"}, "AWS_ENDPOINT_URL is no URL"),
        ({"FOGBANK_DATA": "/nowhere"}, "no Fogbank runs on /nowhere; start one with `fogbank up"),
    ],
)
def test_without_an_instance(server: Server, tmp_path: Path, environment: dict[str, str], says: str) -> None:
    assert says in run(server, "create", "x", "--out", tmp_path, fails=True, environment=environment)


def test_an_address_without_keys(server: Server, tmp_path: Path) -> None:
    alone = {"AWS_ENDPOINT_URL": server.ready["api"], "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    error = run(server, "create", "x", "--out", tmp_path, fails=True, environment=alone)
    assert "fogbank env" in error


# --- the default policy -----------------------------------------------------------------------------------------------

ARN = "arn:aws:iot:us-east-1:123456789012:"


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("iot:Connect", "client/lamp", True),
        ("iot:Connect", "client/other", False),
        ("iot:Connect", "client/*", False),
        ("iot:Publish", "topic/device/lamp", True),
        ("iot:Publish", "topic/device/lamp/hello", True),
        ("iot:Receive", "topic/device/lamp/hello", True),
        ("iot:Subscribe", "topicfilter/device/lamp/#", True),
        ("iot:Subscribe", "topicfilter/device/+/hello", False),
        ("iot:Subscribe", "topicfilter/#", False),
        ("iot:Publish", "topic/device/lampion/hello", False),
        ("iot:Publish", "topic/device/other/hello", False),
        ("iot:Publish", "topic/lamp/hello", False),
        ("iot:Publish", "topic/$aws/things/lamp/shadow/update", True),
        ("iot:Subscribe", "topicfilter/$aws/things/lamp/shadow/update/delta", True),
        ("iot:Receive", "topic/$aws/things/lamp/shadow/name/colors/update/delta", True),
        ("iot:Publish", "topic/$aws/things/other/shadow/update", False),
        ("iot:Publish", "topic/$aws/events/presence/connected/lamp", False),
        ("iot:RetainPublish", "topic/device/lamp", True),
        ("iot:RetainPublish", "topic/$aws/things/lamp/shadow/update", False),
        ("iot:UpdateThingShadow", "thing/other", False),
    ],
)
def test_the_default_policy(action: str, resource: str, allowed: bool) -> None:
    document = PolicyDocument(DEFAULT_POLICY, default_policy("us-east-1", "123456789012"))
    variables = connection_variables(None, client_id="lamp", thing=ThingContext("lamp", True))
    assert PolicySet.compile([document]).bind(variables).decide(action, ARN + resource).allowed is allowed


@pytest.mark.parametrize("thing", [None, ThingContext("lamp", False)])
def test_the_default_policy_lets_in_nobody_who_is_not_attached(thing: ThingContext | None) -> None:
    document = PolicyDocument(DEFAULT_POLICY, default_policy("us-east-1", "123456789012"))
    policies = PolicySet.compile([document]).bind(connection_variables(None, client_id="lamp", thing=thing))
    assert not policies.decide("iot:Connect", f"{ARN}client/lamp").allowed
    assert not policies.decide("iot:Publish", f"{ARN}topic/device/lamp/x").allowed


def test_the_files_do_not_depend_on_the_umask(server: Server, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run(server, "create", "careless", "--out", tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "careless.private.key").stat().st_mode & 0o777 == 0o600


# --- finding ----------------------------------------------------------------------------------------------------------


def test_show_says_what_is_known(server: Server, tmp_path: Path) -> None:
    run(server, "create", "shown", "--type", "bulb", "--out", tmp_path)
    with api(server) as iot:
        iot.create_thing_group(thingGroupName="hall-group")
        iot.add_thing_to_thing_group(thingName="shown", thingGroupName="hall-group")
        iot.update_thing(thingName="shown", attributePayload={"attributes": {"room": "hall"}, "merge": True})
    with plane(server) as data:
        data.update_thing_shadow(thingName="shown", payload=b'{"state": {"reported": {"on": true}}}')
        data.update_thing_shadow(thingName="shown", shadowName="clock", payload=b'{"state": {"desired": {"h": 7}}}')
    said = run(server, "show", "shown")
    for words in ("type         bulb", "room = hall", "group        hall-group", "ACTIVE", DEFAULT_POLICY):
        assert words in said
    assert '"reported":{"on":true}' in said
    assert 'clock: {"state":{"desired":{"h":7}' in said
    assert "connected    no" in said
    assert "cannot show nobody: Thing nobody not found (ResourceNotFoundException)" in run(
        server, "show", "nobody", fails=True
    )


def test_search_finds_by_the_language_of_fleet_indexing(server: Server, tmp_path: Path) -> None:
    with api(server) as iot:
        for number in range(3):
            attributes = {"attributes": {"floor": str(number)}}
            iot.create_thing(thingName=f"found-{number}", attributePayload=attributes)
    said = run(server, "search", "thingName:found-* AND attributes.floor>0")
    assert [line.split()[0] for line in said.splitlines()] == ["found-1", "found-2"]
    [line] = run(server, "search", "thingName:found-2", "--json").splitlines()
    assert json.loads(line)["attributes"] == {"floor": "2"}
    assert len(run(server, "search", "thingName:found-*", "--limit", "2").splitlines()) == 2
    run(server, "search", "thingName:nowhere", fails=True)
    assert "InvalidQueryException" in run(server, "search", "thingName:(", fails=True)


def test_a_request_of_the_devices_own_leaves_no_key(server: Server, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sealed")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    (tmp_path / "sealed.csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))
    run(server, "create", "sealed", "--csr", tmp_path / "sealed.csr", "--out", tmp_path / "certs")
    assert sorted(one.name for one in (tmp_path / "certs").iterdir()) == ["ca.pem", "sealed.cert.pem"]
    made = x509.load_pem_x509_certificate((tmp_path / "certs" / "sealed.cert.pem").read_bytes())
    assert made.public_key() == key.public_key()


def test_import_registers_a_fleet(server: Server, tmp_path: Path) -> None:
    parameters = {"Name": {"Type": "String"}, "Room": {"Type": "String", "Default": "hall"}}
    properties = {"ThingName": {"Ref": "Name"}, "AttributePayload": {"room": {"Ref": "Room"}}}
    template = {"Parameters": parameters, "Resources": {"thing": {"Type": "AWS::IoT::Thing", "Properties": properties}}}
    (tmp_path / "template.json").write_text(json.dumps(template))
    lines = [{"Name": f"fleet-{number}"} for number in range(50)] + [{"Name": "attic-1", "Room": "attic"}]
    file = tmp_path / "fleet.ndjson"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = run(server, "import", file, "--template", tmp_path / "template.json")
    assert "completed 51 registered, 0 failed" in said
    assert "100 %" in said
    with api(server) as iot:
        assert iot.describe_thing(thingName="fleet-49")["attributes"] == {"room": "hall"}
        assert iot.describe_thing(thingName="attic-1")["attributes"] == {"room": "attic"}
    file.write_text('{"Name": "not a name"}\n{"Name": "fleet-50"}\n')
    told = run(server, "import", file, "--template", tmp_path / "template.json", fails=True)
    assert "not a name" in told
