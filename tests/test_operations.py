"""Every operation that is implemented, called by boto3 on a whole platform, each in a story that checks its effect.

What an operation answers in detail is for the tests of its service. Here it is that nothing on the way (model, route,
parser, validator, API module, service, serialiser, boto3's own parser) is missing for any of them: the test fails for
an operation that no story calls.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from dev.coverage import implemented
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from tests.gateway import (
    certificate_story,
    fleet_index_story,
    iam_story,
    jobs_story,
    provisioning_story,
    registry_story,
    rule_destination_story,
    thing_registration_story,
)
from tests.test_app import archive

from fogbank.app import Platform
from fogbank.clock import SystemClock
from fogbank.settings import Settings

POLICY = json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}})
ROLE = "arn:aws:iam::123456789012:role/r"
SQL = "SELECT * FROM 'a/b'"


class ShiftedClock(SystemClock):
    """The real time and some more: a thing type must have been deprecated for five minutes before it can go."""

    def __init__(self) -> None:
        self.shift = 0.0

    def time(self) -> float:
        return super().time() + self.shift


class App:
    """boto3 clients that remember which operations were called."""

    def __init__(self, platform: Platform, clock: ShiftedClock) -> None:
        self.clock = clock
        self.called: set[tuple[str, str]] = set()
        self.ready = ready = platform.ready()
        session = boto3.session.Session(
            region_name=ready.region,
            aws_access_key_id=ready.access_key_id,
            aws_secret_access_key=ready.secret_access_key,
        )
        config = Config(retries={"max_attempts": 0})
        services = ("iot", "iot-data", "lambda", "iam", "sts", "iot-jobs-data")
        self.clients = {service: session.client(service, endpoint_url=ready.api, config=config) for service in services}
        self.iot, self.data, self.functions, self.iam, self.sts, self.jobs = self.clients.values()
        for service, client in self.clients.items():
            client.meta.events.register("before-call", self._remember(service))

    def _remember(self, service: str) -> Callable[..., None]:
        def remember(model: Any, **_: Any) -> None:
            self.called.add((service, model.name))

        return remember

    def close(self) -> None:
        for client in self.clients.values():
            client.close()


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    clock = ShiftedClock()
    settings = Settings(data_dir=tmp_path, api_port=0, mqtt_port=0, https_port=0, plain_mqtt_port=0)
    async with Platform(settings, clock) as platform:
        app = App(platform, clock)
        yield app
        app.close()


def things(app: App) -> None:
    iot = app.iot
    iot.create_thing_type(thingTypeName="bulb", thingTypeProperties={"thingTypeDescription": "shines"})
    iot.update_thing_type(thingTypeName="bulb", thingTypeProperties={"thingTypeDescription": "glows"})
    described = iot.describe_thing_type(thingTypeName="bulb")
    assert described["thingTypeProperties"]["thingTypeDescription"] == "glows"
    assert [one["thingTypeName"] for one in iot.list_thing_types()["thingTypes"]] == ["bulb"]
    made = iot.create_thing(thingName="lamp", thingTypeName="bulb", attributePayload={"attributes": {"room": "hall"}})
    assert made["thingArn"].endswith(":thing/lamp")
    iot.update_thing(thingName="lamp", attributePayload={"attributes": {"floor": "1"}, "merge": True})
    thing = iot.describe_thing(thingName="lamp")
    assert (thing["attributes"], thing["version"]) == ({"room": "hall", "floor": "1"}, 2)
    assert [one["thingName"] for one in iot.list_things(thingTypeName="bulb")["things"]] == ["lamp"]
    iot.delete_thing(thingName="lamp", expectedVersion=2)
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_thing(thingName="lamp")
    iot.deprecate_thing_type(thingTypeName="bulb")
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing_type(thingTypeName="bulb")
    app.clock.shift += 301
    iot.delete_thing_type(thingTypeName="bulb")
    assert iot.list_thing_types()["thingTypes"] == []
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"].startswith("127.0.0.1:")


def certificates(app: App) -> None:
    iot = app.iot
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    signed = iot.create_certificate_from_csr(certificateSigningRequest=pem, setAsActive=False)
    made = iot.create_keys_and_certificate(setAsActive=True)
    assert "PRIVATE KEY" in made["keyPair"]["PrivateKey"]
    listed = {one["certificateId"]: one["status"] for one in iot.list_certificates()["certificates"]}
    assert listed == {signed["certificateId"]: "INACTIVE", made["certificateId"]: "ACTIVE"}
    with pytest.raises(iot.exceptions.CertificateStateException):
        iot.delete_certificate(certificateId=made["certificateId"])
    iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
    described = iot.describe_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (described["status"], described["certificatePem"]) == ("INACTIVE", made["certificatePem"])
    iot.delete_certificate(certificateId=made["certificateId"])
    assert len(iot.list_certificates()["certificates"]) == 1


def attachments(app: App) -> None:
    iot = app.iot
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_thing(thingName="lamp")
    iot.attach_thing_principal(thingName="lamp", principal=certificate, thingPrincipalType="EXCLUSIVE_THING")
    assert iot.list_thing_principals(thingName="lamp")["principals"] == [certificate]
    [attached] = iot.list_thing_principals_v2(thingName="lamp")["thingPrincipalObjects"]
    assert attached == {"principal": certificate, "thingPrincipalType": "EXCLUSIVE_THING"}
    assert iot.list_principal_things(principal=certificate)["things"] == ["lamp"]
    [thing] = iot.list_principal_things_v2(principal=certificate)["principalThingObjects"]
    assert thing["thingName"] == "lamp"
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing(thingName="lamp")
    iot.detach_thing_principal(thingName="lamp", principal=certificate)
    iot.delete_thing(thingName="lamp")


def policies(app: App) -> None:
    iot = app.iot
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    made = iot.create_policy(policyName="all", policyDocument=POLICY)
    assert made["policyVersionId"] == "1"
    assert iot.create_policy_version(policyName="all", policyDocument=POLICY)["isDefaultVersion"] is False
    iot.set_default_policy_version(policyName="all", policyVersionId="2")
    assert iot.get_policy(policyName="all")["defaultVersionId"] == "2"
    assert iot.get_policy_version(policyName="all", policyVersionId="1")["policyDocument"] == POLICY
    iot.delete_policy_version(policyName="all", policyVersionId="1")
    assert [one["versionId"] for one in iot.list_policy_versions(policyName="all")["policyVersions"]] == ["2"]
    assert [one["policyName"] for one in iot.list_policies()["policies"]] == ["all"]
    iot.attach_policy(policyName="all", target=certificate)
    assert [one["policyName"] for one in iot.list_attached_policies(target=certificate)["policies"]] == ["all"]
    assert iot.list_targets_for_policy(policyName="all")["targets"] == [certificate]
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_policy(policyName="all")
    iot.detach_policy(policyName="all", target=certificate)
    iot.attach_principal_policy(policyName="all", principal=certificate)
    assert [one["policyName"] for one in iot.list_principal_policies(principal=certificate)["policies"]] == ["all"]
    assert iot.list_policy_principals(policyName="all")["principals"] == [certificate]
    iot.detach_principal_policy(policyName="all", principal=certificate)
    iot.delete_policy(policyName="all")
    assert iot.list_policies()["policies"] == []


def groups(app: App) -> None:
    iot = app.iot
    certificate = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.create_thing(thingName="lamp")
    iot.attach_thing_principal(thingName="lamp", principal=certificate)
    house = iot.create_thing_group(thingGroupName="house")["thingGroupArn"]
    iot.create_thing_group(thingGroupName="bath", parentGroupName="house")
    iot.update_thing_group(thingGroupName="bath", thingGroupProperties={"thingGroupDescription": "wet"})
    described = iot.describe_thing_group(thingGroupName="bath")
    assert described["thingGroupProperties"]["thingGroupDescription"] == "wet"
    assert described["thingGroupMetadata"]["rootToParentThingGroups"] == [{"groupName": "house", "groupArn": house}]
    assert [one["groupName"] for one in iot.list_thing_groups(parentGroup="house")["thingGroups"]] == ["bath"]
    iot.add_thing_to_thing_group(thingGroupName="house", thingName="lamp")
    iot.remove_thing_from_thing_group(thingGroupArn=house, thingName="lamp")
    iot.update_thing_groups_for_thing(thingName="lamp", thingGroupsToAdd=["bath"])
    assert [one["groupName"] for one in iot.list_thing_groups_for_thing(thingName="lamp")["thingGroups"]] == ["bath"]
    assert iot.list_things_in_thing_group(thingGroupName="house", recursive=True)["things"] == ["lamp"]
    iot.create_policy(policyName="grouped", policyDocument=POLICY)
    iot.attach_policy(policyName="grouped", target=house)
    in_effect = iot.get_effective_policies(principal=certificate, thingName="lamp")["effectivePolicies"]
    assert [one["policyName"] for one in in_effect] == ["grouped"]
    topic = house.replace("thinggroup/house", "topic/a")
    for client_id, decision in (("lamp", "ALLOWED"), ("other", "IMPLICIT_DENY")):
        [result] = iot.test_authorization(
            principal=certificate, clientId=client_id, authInfos=[{"actionType": "PUBLISH", "resources": [topic]}]
        )["authResults"]
        assert result["authDecision"] == decision
    with pytest.raises(iot.exceptions.InvalidRequestException):
        iot.delete_thing_group(thingGroupName="house")
    for name in ("bath", "house"):
        iot.delete_thing_group(thingGroupName=name)
    assert iot.list_thing_groups()["thingGroups"] == []


def rules(app: App) -> None:
    iot = app.iot
    republish = {"republish": {"topic": "c", "roleArn": ROLE}}
    iot.create_topic_rule(ruleName="r", topicRulePayload={"sql": SQL, "actions": [republish]})
    assert iot.get_topic_rule(ruleName="r")["rule"]["actions"] == [republish]
    iot.disable_topic_rule(ruleName="r")
    assert [one["ruleName"] for one in iot.list_topic_rules(ruleDisabled=True)["rules"]] == ["r"]
    iot.enable_topic_rule(ruleName="r")
    assert iot.list_topic_rules(ruleDisabled=True)["rules"] == []
    iot.replace_topic_rule(ruleName="r", topicRulePayload={"sql": SQL, "actions": [], "description": "new"})
    assert iot.get_topic_rule(ruleName="r")["rule"]["description"] == "new"
    with pytest.raises(iot.exceptions.SqlParseException, match="line 1"):
        iot.create_topic_rule(ruleName="bad", topicRulePayload={"sql": "SELECT * FORM 'a'", "actions": []})
    iot.delete_topic_rule(ruleName="r")
    assert iot.list_topic_rules()["rules"] == []


def rule_destinations(app: App) -> None:
    rule_destination_story.tell(app.iot, app.ready.api)


def shadows(app: App) -> None:
    data = app.data
    document = json.dumps({"state": {"desired": {"on": True}}})
    assert json.load(data.update_thing_shadow(thingName="lamp", payload=document)["payload"])["version"] == 1
    data.update_thing_shadow(thingName="lamp", shadowName="other", payload=document)
    assert json.load(data.get_thing_shadow(thingName="lamp")["payload"])["state"]["delta"] == {"on": True}
    assert data.list_named_shadows_for_thing(thingName="lamp")["results"] == ["other"]
    assert json.load(data.delete_thing_shadow(thingName="lamp")["payload"])["version"] == 1
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_thing_shadow(thingName="lamp")


def messages(app: App) -> None:
    data = app.data
    data.publish(topic="a/b", qos=1, retain=True, payload=b"{}")
    assert data.get_retained_message(topic="a/b")["payload"] == b"{}"
    assert [one["topic"] for one in data.list_retained_messages()["retainedTopics"]] == ["a/b"]
    device = Client(CallbackAPIVersion.VERSION2, "lamp")
    direct: SimpleQueue[MQTTMessage] = SimpleQueue()
    subscribed = Event()

    def subscribe(*_: object) -> None:
        device.subscribe("c/d", 1)

    device.on_connect = subscribe
    device.on_subscribe = lambda *_: subscribed.set()
    device.on_message = lambda _client, _data, message: direct.put(message)
    assert app.ready.plain_mqtt is not None
    device.connect(app.ready.plain_mqtt.host, app.ready.plain_mqtt.port)
    device.loop_start()
    assert subscribed.wait(10)
    assert data.get_connection(clientId="lamp")["connected"] is True
    assert [one["topicFilter"] for one in data.list_subscriptions(clientId="lamp")["subscriptions"]] == ["c/d"]
    data.send_direct_message(clientId="lamp", topic="for/you", payload=b"alone", confirmation=True, timeout=10)
    assert direct.get(timeout=10).payload == b"alone"
    data.delete_connection(clientId="lamp")
    device.loop_stop()


def functions(app: App) -> None:
    client = app.functions
    code = archive("import os\ndef handler(event, context):\n    return [event, os.environ.get('COLOR')]\n")
    client.create_function(
        FunctionName="f", Runtime="python3.11", Role=ROLE, Handler="handler.handler", Code={"ZipFile": code}
    )
    answer = client.invoke(FunctionName="f", Payload=b"1", LogType="Tail")
    assert (json.load(answer["Payload"]), answer["StatusCode"]) == ([1, None], 200)
    client.update_function_configuration(FunctionName="f", Environment={"Variables": {"COLOR": "red"}})
    assert json.load(client.invoke(FunctionName="f", Payload=b"2")["Payload"]) == [2, "red"]
    client.update_function_code(FunctionName="f", ZipFile=archive("def handler(event, context):\n    return 'new'\n"))
    assert json.load(client.invoke(FunctionName="f", Payload=b"3")["Payload"]) == "new"
    assert client.invoke(FunctionName="f", Payload=b"4", InvocationType="Event")["StatusCode"] == 202
    assert client.invoke(FunctionName="f", Payload=b"5", InvocationType="DryRun")["StatusCode"] == 204
    assert client.get_function_configuration(FunctionName="f")["Timeout"] == 3
    assert client.get_function(FunctionName="f")["Configuration"]["State"] == "Active"
    assert [one["FunctionName"] for one in client.list_functions()["Functions"]] == ["f"]
    client.add_permission(
        FunctionName="f", StatementId="iot", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com"
    )
    assert json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"][0]["Sid"] == "iot"
    client.remove_permission(FunctionName="f", StatementId="iot")
    client.delete_function(FunctionName="f")
    assert client.list_functions()["Functions"] == []


def authorizers(app: App) -> None:
    iot = app.iot
    code = archive(
        "def handler(event, context):\n    return {'isAuthenticated': True, 'principalId': event['token']}\n"
    )
    function = app.functions.create_function(
        FunctionName="door", Runtime="python3.11", Role=ROLE, Handler="handler.handler", Code={"ZipFile": code}
    )["FunctionArn"]
    iot.create_authorizer(
        authorizerName="door", authorizerFunctionArn=function, tokenKeyName="token", signingDisabled=True
    )
    with pytest.raises(iot.exceptions.InvalidResponseException, match="no resource-based policy allows"):
        iot.test_invoke_authorizer(authorizerName="door", token="me")
    app.functions.add_permission(
        FunctionName="door", StatementId="iot", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com"
    )
    assert iot.test_invoke_authorizer(authorizerName="door", token="me")["principalId"] == "me"
    iot.set_default_authorizer(authorizerName="door")
    assert iot.describe_default_authorizer()["authorizerDescription"]["status"] == "ACTIVE"
    iot.create_domain_configuration(
        domainConfigurationName="d",
        authorizerConfig={"defaultAuthorizerName": "door"},
        authenticationType="CUSTOM_AUTH",
    )
    assert iot.describe_domain_configuration(domainConfigurationName="d")["domainName"] == "d.localhost"
    iot.update_domain_configuration(
        domainConfigurationName="d", domainConfigurationStatus="DISABLED", removeAuthorizerConfig=True
    )
    assert [one["domainConfigurationName"] for one in iot.list_domain_configurations()["domainConfigurations"]] == ["d"]
    iot.delete_domain_configuration(domainConfigurationName="d")
    iot.clear_default_authorizer()
    with pytest.raises(iot.exceptions.DeleteConflictException):
        iot.delete_authorizer(authorizerName="door")
    iot.update_authorizer(authorizerName="door", status="INACTIVE")
    assert iot.describe_authorizer(authorizerName="door")["authorizerDescription"]["authorizerFunctionArn"] == function
    iot.delete_authorizer(authorizerName="door")
    assert iot.list_authorizers()["authorizers"] == []
    app.functions.delete_function(FunctionName="door")


def access(app: App) -> None:
    for story in (iam_story.users, iam_story.roles, iam_story.policies):
        story(app.iam)
    iam_story.sessions(app.iam, app.sts)


def registry(app: App) -> None:
    for story in (registry_story.billing_groups, registry_story.tags, registry_story.events):
        story(app.iot)


def registrations(app: App) -> None:
    keys = Credentials(app.ready.access_key_id, app.ready.secret_access_key)
    thing_registration_story.tell(app.iot, app.ready.api, keys, app.ready.region)


def fleet_index(app: App) -> None:
    fleet_index_story.tell(app.iot, app.data)


def authorities(app: App) -> None:
    certificate_story.tell(app.iot)


def provisioning(app: App) -> None:
    provisioning_story.tell(app.iot)


def jobs(app: App) -> None:
    jobs_story.tell(app.iot, app.jobs)


STORIES = [
    things,
    certificates,
    attachments,
    policies,
    groups,
    registry,
    registrations,
    authorities,
    provisioning,
    jobs,
    fleet_index,
    rules,
    rule_destinations,
    shadows,
    messages,
    functions,
    authorizers,
    access,
]


async def test_every_implemented_operation_is_called_in_a_story(app: App) -> None:
    for story in STORIES:
        await asyncio.to_thread(story, app)
    declared = {(service, name) for service, names in implemented().items() for name in names}
    assert declared - app.called == set()
