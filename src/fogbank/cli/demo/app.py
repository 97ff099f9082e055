"""The app: boto3, as an application that runs against AWS would use it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.own_authority import OwnAuthority
from fogbank.ready import Ready

SERVICES = ["iot.amazonaws.com", "lambda.amazonaws.com"]
TRUST = {"Effect": "Allow", "Principal": {"Service": SERVICES}, "Action": "sts:AssumeRole"}
PUBLISH = "iot:Publish"


class App:
    """AWS's calls by the names they have there, in the few combinations that the story needs."""

    def __init__(self, where: Ready, certificates: Path) -> None:
        self._session = session = boto3.Session(where.access_key_id, where.secret_access_key, region_name=where.region)
        direct = Config(proxies={})  # a proxy, as offices have them, does not lead to this machine
        self.iot = session.client("iot", endpoint_url=where.api, config=direct)
        self.data = session.client("iot-data", endpoint_url=where.api, config=direct)
        self.functions = session.client("lambda", endpoint_url=where.api, config=direct)
        self._where = where
        self._certificates = certificates
        self._roles: dict[str, str] = {}

    def arn(self, resource: str) -> str:
        """Of an IoT resource."""
        return f"arn:aws:iot:{self._where.region}:{self._where.account_id}:{resource}"

    def create_thing(self, name: str, policy: dict[str, Any]) -> Credentials:
        """A thing, a certificate, a policy, all tied together; the certificate's files are what a device is given."""
        self.iot.create_thing(thingName=name)
        made = self.iot.create_keys_and_certificate(setAsActive=True)
        self.create_policy(f"{name}-policy", policy)
        self.iot.attach_policy(policyName=f"{name}-policy", target=made["certificateArn"])
        arn = made["certificateArn"]
        # for itself alone: so lifecycle events name the thing
        self.iot.attach_thing_principal(thingName=name, principal=arn, thingPrincipalType="EXCLUSIVE_THING")
        certificate = self._certificates / f"{name}.cert.pem"
        key = self._certificates / f"{name}.private.key"
        certificate.write_text(made["certificatePem"])
        key.touch(mode=0o600)
        key.write_text(made["keyPair"]["PrivateKey"])
        return Credentials(name, certificate, key)

    def create_policy(self, name: str, policy: dict[str, Any]) -> None:
        """A policy that is attached to nobody yet."""
        self.iot.create_policy(policyName=name, policyDocument=json.dumps(policy))

    def register_ca(self, own: OwnAuthority) -> str:
        """Have the devices of a CA registered when they first connect; the CA's ID.

        The proof that its key is ours is a certificate for the account's registration code.
        """
        code = self.iot.get_registration_code()["registrationCode"]
        made = self.iot.register_ca_certificate(
            caCertificate=own.pem.decode(),
            verificationCertificate=own.verification(code),
            setAsActive=True,
            allowAutoRegistration=True,
        )
        return str(made["certificateId"])

    def policy(self, *statements: tuple[str, str]) -> dict[str, Any]:
        """A document that allows each action on its resource."""
        allowed = [{"Effect": "Allow", "Action": action, "Resource": self.arn(on)} for action, on in statements]
        return {"Version": "2012-10-17", "Statement": allowed}

    def create_function(self, name: str, source: str, *may: str) -> str:
        """Deploy a module that has a `handler`, which `may` do these actions; the function's ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("function.py", source)
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=self.role(f"{name}-role", *(may or (PUBLISH,))),
            Handler="function.handler",
            Code={"ZipFile": archive.getvalue()},
        )
        arn: str = made["FunctionArn"]
        return arn

    def create_rule(self, name: str, sql: str, action: dict[str, Any]) -> None:
        """A rule with one action."""
        payload = {"sql": sql, "awsIotSqlVersion": "2016-03-23", "actions": [action]}
        self.iot.create_topic_rule(ruleName=name, topicRulePayload=payload)

    def invoke_from_rule(self, rule: str, function_arn: str) -> dict[str, Any]:
        """The action that invokes the function, once the function allows the rule to."""
        self.functions.add_permission(
            FunctionName=function_arn,
            StatementId=rule,
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            SourceArn=self.arn(f"rule/{rule}"),
        )
        return {"lambda": {"functionArn": function_arn}}

    def republish(self, topic: str) -> dict[str, Any]:
        """The action that publishes what the rule selected to another topic, in the name of a role that may."""
        return {"republish": {"roleArn": self.role("publisher", PUBLISH), "topic": topic, "qos": 1}}

    def role(self, name: str, *actions: str) -> str:
        """The ARN of a role that IoT and Lambda may assume, and that may do these actions and nothing else."""
        if name not in self._roles:
            iam = self._session.client("iam", endpoint_url=self._where.api, config=Config(proxies={}))
            try:
                iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(TRUST))
            except iam.exceptions.EntityAlreadyExistsException:
                pass  # made before, on the same platform
            allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
            iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=_document(allowed))
            iam.close()
            self._roles[name] = f"arn:aws:iam::{self._where.account_id}:role/{name}"
        return self._roles[name]

    def desire(self, thing: str, state: dict[str, Any]) -> None:
        """Say in the shadow what the thing should be."""
        self.data.update_thing_shadow(thingName=thing, payload=json.dumps({"state": {"desired": state}}))

    def shadow(self, thing: str) -> dict[str, Any]:
        """The `state` of the thing's shadow; empty where it has none yet."""
        try:
            document = self.data.get_thing_shadow(thingName=thing)["payload"].read()
        except self.data.exceptions.ResourceNotFoundException:
            return {}
        state: dict[str, Any] = json.loads(document)["state"]
        return state


def _document(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
