"""Users with few rights who want more: what the control plane does for them, and in whose name."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from tests.registry import pki

from fogbank.cli.demo.app import App
from fogbank.ready import Ready

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


class User:
    """Somebody with keys, and few rights."""

    def __init__(self, where: Ready, app: App, name: str) -> None:
        self._where = where
        self.name = name
        self._root = self._client("iam", where.access_key_id, where.secret_access_key)
        self._root.create_user(UserName=name)
        key = self._root.create_access_key(UserName=name)["AccessKey"]
        self.keys = key["AccessKeyId"], key["SecretAccessKey"]
        self.iot = self._client("iot", *self.keys)
        self._app = app

    def may(self, *statements: tuple[str, str] | dict[str, Any]) -> None:
        """Instead of what was so far."""
        written = [
            one if isinstance(one, dict) else {"Effect": "Allow", "Action": one[0], "Resource": one[1]}
            for one in statements
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": written})
        self._root.put_user_policy(UserName=self.name, PolicyName="own", PolicyDocument=document)

    def refused(self, action: str, operation: str, **params: Any) -> str:
        """That `action` is missing for an operation; the error's text."""
        with pytest.raises(ClientError) as refusal:
            getattr(self.iot, operation)(**params)
        answer = refusal.value.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 403, answer
        assert f"not authorized to perform: {action} on resource" in answer["Error"]["Message"], answer
        return str(answer["Error"]["Message"])

    def post(self, path: str, body: bytes) -> tuple[int, str]:
        """To a page of the platform's own."""
        request = AWSRequest("POST", f"{self._where.api}{path}", data=body)
        botocore.auth.SigV4Auth(Keys(*self.keys), "iot", self._where.region).add_auth(request)
        host, port = self._where.api.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("POST", path, body, dict(request.prepare().headers))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def close(self) -> None:
        self.iot.close()
        self._root.close()

    def _client(self, service: str, key: str, secret: str) -> Any:
        session = boto3.Session(key, secret, region_name=self._where.region)
        return session.client(service, endpoint_url=self._where.api, config=Config(proxies={}))


@pytest.fixture
def user(where: Ready, app: App, name: str) -> Iterator[User]:
    user = User(where, app, name)
    yield user
    user.close()


def test_who_may_register_things_writes_no_policies(app: App, user: User, name: str) -> None:
    """RegisterThing would else give a certificate, and a policy for everything."""
    user.may(("iot:RegisterThing", "*"))
    csr = x509.CertificateSigningRequestBuilder().subject_name(pki.name(name)).sign(pki.new_key(), hashes.SHA256())
    body = json.dumps(
        {
            "Resources": {
                "certificate": {
                    "Type": "AWS::IoT::Certificate",
                    "Properties": {"CertificateSigningRequest": csr.public_bytes(serialization.Encoding.PEM).decode()},
                },
                "policy": {
                    "Type": "AWS::IoT::Policy",
                    "Properties": {"PolicyDocument": json.dumps(app.policy((f"iot:{name}", "*")))},
                },
            }
        }
    )
    needed = ["iot:CreateCertificateFromCsr", "iot:CreatePolicy", "iot:AttachPolicy"]
    for count, action in enumerate(needed):
        user.may(("iot:RegisterThing", "*"), *((one, "*") for one in needed[:count]))
        before = app.iot.list_policies(pageSize=250)["policies"]
        user.refused(action, "register_thing", templateBody=body)
        assert app.iot.list_policies(pageSize=250)["policies"] == before, "all or nothing"
    user.may(("iot:RegisterThing", "*"), *((one, "*") for one in needed))
    assert user.iot.register_thing(templateBody=body)["resourceArns"]["policy"]


def test_who_may_not_pass_a_role_has_the_platform_do_nothing_in_its_name(app: App, user: User, name: str) -> None:
    role = app.role("provisioner", "iot:*")
    template = json.dumps(TEMPLATE)
    user.may(("iot:*", "*"))
    configuration = {"templateBody": template, "roleArn": role}
    ca = app.iot.register_ca_certificate(
        caCertificate=pki.Authority(name).pem, certificateMode="SNI_ONLY", setAsActive=True
    )["certificateId"]
    app.iot.create_provisioning_template(templateName=name, templateBody=template, provisioningRoleArn=role)
    app.iot.create_thing(thingName=name)
    rule = {"sql": "SELECT * FROM 'x'", "actions": [{"republish": {"roleArn": role, "topic": "x"}}]}
    job = {"targets": [app.arn(f"thing/{name}")], "document": "{}", "presignedUrlConfig": {"roleArn": role}}
    attempts: list[tuple[str, dict[str, Any]]] = [
        (
            "create_provisioning_template",
            {"templateName": f"{name}-2", "templateBody": template, "provisioningRoleArn": role},
        ),
        ("update_provisioning_template", {"templateName": name, "provisioningRoleArn": role}),
        (
            "register_ca_certificate",
            {
                "caCertificate": pki.Authority(f"{name}-2").pem,
                "certificateMode": "SNI_ONLY",
                "registrationConfig": configuration,
            },
        ),
        ("update_ca_certificate", {"certificateId": ca, "registrationConfig": configuration}),
        ("create_role_alias", {"roleAlias": name, "roleArn": role}),
        ("create_topic_rule", {"ruleName": name, "topicRulePayload": rule}),
        (
            "start_thing_registration_task",
            {"templateBody": template, "inputFileBucket": "bucket", "inputFileKey": "key", "roleArn": role},
        ),
        ("create_job", {"jobId": name, **job}),
        (
            "create_job_template",
            {"jobTemplateId": name, "description": "x", "document": "{}", "presignedUrlConfig": {"roleArn": role}},
        ),
    ]
    for operation, params in attempts:
        assert role in user.refused("iam:PassRole", operation, **params), operation
    code, text = user.post("/_fogbank/registrations", json.dumps({"templateBody": template, "roleArn": role}).encode())
    assert (code, "iam:PassRole" in text) == (403, True)


def test_no_right_comes_without_a_role(app: App, user: User, name: str) -> None:
    """Where a request may leave its role out, only the root may."""
    user.may(("iot:*", "*"))
    code, text = user.post("/_fogbank/registrations", json.dumps({"templateBody": json.dumps(TEMPLATE)}).encode())
    assert (code, "roleArn" in text) == (400, True)
    with pytest.raises(ClientError, match="needs a roleArn"):
        user.iot.register_ca_certificate(
            caCertificate=pki.Authority(name).pem,
            certificateMode="SNI_ONLY",
            registrationConfig={"templateBody": json.dumps(TEMPLATE)},
        )


def test_pages_of_our_own_ask_for_rights_too(user: User, where: Ready) -> None:
    user.may(("iot:DescribeThing", "*"))
    assert user.post("/_fogbank/certificates/crl", b"x")[0] == 403
    assert user.post("/_fogbank/registrations", b"{}")[0] == 403
    user.may(("*", "*"))
    assert user.post("/_fogbank/rules/r/test", b"{}")[0] == 404, "the root's alone: it shows what functions answer"
    assert user.post("/_fogbank/certificates/crl", b"x")[0] == 400
    log = map(json.loads, Path(where.data_dir, "audit", "audit.ndjson").read_text().splitlines())
    written = [event for event in log if str(event["userIdentity"]["arn"]).endswith(f":user/{user.name}")]
    assert [(one["eventName"], one["errorCode"]) for one in written] == [
        ("RevokeCertificates", "AccessDeniedException"),
        ("UploadThingRegistrations", "AccessDeniedException"),
        ("RevokeCertificates", "CertificateValidationException"),
    ]


def test_a_job_is_no_way_to_read_from_s3(user: User, app: App, name: str) -> None:
    """The platform reads the document with credentials of its own."""
    app.iot.create_thing(thingName=name)
    user.may(("iot:*", "*"))
    source = {"documentSource": "https://secrets.s3.amazonaws.com/all.json"}
    for operation, params in (
        ("create_job", {"jobId": name, "targets": [app.arn(f"thing/{name}")]}),
        ("create_job_template", {"jobTemplateId": name, "description": "x"}),
    ):
        told = user.refused("s3:GetObject", operation, **params, **source)
        assert "arn:aws:s3:::secrets/all.json" in told
        user.may(("iot:*", "*"), ("s3:GetObject", "arn:aws:s3:::secrets/*"))
        with pytest.raises(ClientError, match="documentSource"):  # nothing stands for S3 here
            getattr(user.iot, operation)(**params, **source)
        user.may(("iot:*", "*"))


def test_a_job_of_a_template_is_for_who_may_use_the_template(user: User, app: App, name: str) -> None:
    app.iot.create_thing(thingName=name)
    template = app.iot.create_job_template(jobTemplateId=name, description="x", document="{}")["jobTemplateArn"]
    wish = {"jobId": name, "targets": [app.arn(f"thing/{name}")], "jobTemplateArn": template}
    user.may(("iot:CreateJob", app.arn("job/*")), ("iot:CreateJob", app.arn("thing/*")))
    assert template in user.refused("iot:CreateJob", "create_job", **wish)
    user.may(("iot:CreateJob", "*"))
    assert user.iot.create_job(**wish)["jobId"] == name


def test_tags_bind(user: User, app: App, name: str) -> None:
    """IAM user guide, "Controlling access to AWS resources using tags"."""
    condition = {"StringEquals": {"aws:ResourceTag/team": name}}
    ours = {"Effect": "Allow", "Action": "iot:*", "Resource": "*", "Condition": condition}
    app.iot.create_thing_group(thingGroupName=f"{name}-ours", tags=[{"Key": "team", "Value": name}])
    app.iot.create_thing_group(thingGroupName=f"{name}-theirs", tags=[{"Key": "team", "Value": "x"}])
    theirs = app.arn(f"thinggroup/{name}-theirs")
    user.may(ours)
    assert user.iot.describe_thing_group(thingGroupName=f"{name}-ours")
    user.refused("iot:DescribeThingGroup", "describe_thing_group", thingGroupName=f"{name}-theirs")
    user.refused("iot:TagResource", "tag_resource", resourceArn=theirs, tags=[{"Key": "team", "Value": name}])
    user.refused("iot:UntagResource", "untag_resource", resourceArn=theirs, tagKeys=["team"])
    with pytest.raises(ClientError):  # spelled in another way it is not another resource
        user.iot.tag_resource(resourceArn=theirs.replace("arn:aws:iot", "arn:aws:iot:", 1), tags=[])


def test_a_thing_is_attached_where_that_is_allowed(user: User, app: App, name: str) -> None:
    """Condition key iot:thingArn."""
    certificate = app.iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    for one in (name, f"{name}-other"):
        app.iot.create_thing(thingName=one)
    condition = {"ArnEquals": {"iot:thingArn": app.arn(f"thing/{name}")}}
    user.may({"Effect": "Allow", "Action": "iot:AttachThingPrincipal", "Resource": "*", "Condition": condition})
    user.iot.attach_thing_principal(thingName=name, principal=certificate)
    user.refused("iot:AttachThingPrincipal", "attach_thing_principal", thingName=f"{name}-other", principal=certificate)


def test_a_denial_holds_however_a_resource_is_named(user: User, app: App, name: str) -> None:
    group, thing = app.arn(f"thinggroup/{name}"), app.arn(f"thing/{name}")
    app.iot.create_thing_group(thingGroupName=name)
    app.iot.create_thing(thingName=name)
    app.iot.create_thing(thingName="arn:x")  # or it is there already, and the same
    user.may(
        ("iot:*", "*"),
        {"Effect": "Deny", "Action": "iot:*", "Resource": [group, app.arn("thing/arn:*"), app.arn("cert/*")]},
    )
    for named in ({"thingGroupName": name}, {"thingGroupArn": group}, {"thingGroupName": name, "thingGroupArn": group}):
        for member in ({"thingName": name}, {"thingArn": thing}):
            user.refused("iot:AddThingToThingGroup", "add_thing_to_thing_group", **named, **member)
    user.refused("iot:DeleteThing", "delete_thing", thingName="arn:x")
    wish = {"thingName": name, "thingGroupsToAdd": [name]}
    user.refused("iot:UpdateThingGroupsForThing", "update_thing_groups_for_thing", **wish)
    certificate = app.iot.create_keys_and_certificate()["certificateArn"]
    foreign = certificate.replace(f":{certificate.split(':')[4]}:", ":999999999999:")
    user.refused("iot:AttachPolicy", "attach_policy", policyName="p", target=certificate)
    for spelled in (foreign, certificate.replace("arn:aws:", "arn:aws-cn:"), f"{certificate} ", certificate.upper()):
        with pytest.raises(ClientError):
            user.iot.attach_policy(policyName="p", target=spelled)


def test_a_new_user_may_nothing(user: User) -> None:
    """Of what changes or tells anything; and its own name is all that the refusal tells."""
    for operation, params in (
        ("search_index", {"queryString": "*"}),
        ("update_event_configurations", {"eventConfigurations": {"THING": {"Enabled": False}}}),
        ("update_indexing_configuration", {"thingIndexingConfiguration": {"thingIndexingMode": "OFF"}}),
        ("create_keys_and_certificate", {}),
        ("create_provisioning_claim", {"templateName": "t"}),
        ("transfer_certificate", {"certificateId": "a" * 64, "targetAwsAccount": "1" * 12}),
        ("accept_certificate_transfer", {"certificateId": "a" * 64}),
        ("get_registration_code", {}),
        ("list_thing_registration_task_reports", {"taskId": "t", "reportType": "ERRORS"}),
        ("test_authorization", {"principal": "x", "authInfos": [{"actionType": "CONNECT", "resources": ["x"]}]}),
        ("get_job_document", {"jobId": "j"}),
    ):
        with pytest.raises(ClientError) as refusal:
            getattr(user.iot, operation)(**params)
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, operation
