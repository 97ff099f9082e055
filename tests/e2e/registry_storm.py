"""Calls of the registry that get in each other's way, and what has to be true of it at any time all the same."""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from tests.registry import pki

from fogbank.ready import Ready

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]})
Failure = tuple[str, int]
"""The error's code and the HTTP status."""


def client(where: Ready) -> Any:
    """One that asks once, and lets the platform judge what it is given."""
    config = Config(proxies={}, parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=20)
    return boto3.client(
        "iot",
        endpoint_url=where.api,
        region_name=where.region,
        aws_access_key_id=where.access_key_id,
        aws_secret_access_key=where.secret_access_key,
        config=config,
    )


def ask(iot: Any, operation: str, **params: Any) -> Failure | dict[str, Any]:
    """The answer, or why there is none."""
    try:
        answer: dict[str, Any] = getattr(iot, operation)(**params)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return answer


def at_once(calls: Sequence[Callable[[], Any]], threads: int = 20) -> list[Any]:
    """All of them side by side; what came of each."""
    with ThreadPoolExecutor(threads) as pool:
        return [call.result() for call in [pool.submit(call) for call in calls]]


def signing_request() -> str:
    made = x509.CertificateSigningRequestBuilder().subject_name(pki.name("device")).sign(pki.new_key(), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


class Cast:
    """A few things, groups, certificates and the like, for many callers to fight over."""

    def __init__(self, iot: Any, where: Ready, name: str) -> None:
        self.things = [f"{name}-t{one}" for one in range(2)]
        self.groups = [f"{name}-g{one}" for one in range(2)]
        self.billing_groups = [f"{name}-b{one}" for one in range(2)]
        self.policies = [f"{name}-p{one}" for one in range(2)]
        self.certificates = [
            iot.create_certificate_from_csr(certificateSigningRequest=signing_request())["certificateArn"]
            for _ in range(2)
        ]
        self._arn = f"arn:aws:iot:{where.region}:{where.account_id}:"

    @property
    def targets(self) -> list[str]:
        return [*self.certificates, *(f"{self._arn}thinggroup/{one}" for one in self.groups)]

    def call(self, draw: random.Random) -> tuple[str, dict[str, Any]]:
        """One call that some other makes impossible."""
        thing = {"thingName": draw.choice(self.things)}
        group = {"thingGroupName": draw.choice(self.groups)}
        billing = {"billingGroupName": draw.choice(self.billing_groups)}
        policy = {"policyName": draw.choice(self.policies)}
        principal = {"principal": draw.choice(self.certificates)}
        certificate = {"certificateId": principal["principal"].rpartition("/")[2]}
        target = {"target": draw.choice(self.targets)}
        kind = {"thingPrincipalType": draw.choice(["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"])}
        calls: list[tuple[str, dict[str, Any]]] = [
            ("create_thing", thing),
            ("create_thing", thing | billing),
            ("update_thing", thing | {"attributePayload": {"attributes": {"a": str(draw.random())}}}),
            ("delete_thing", thing),
            ("attach_thing_principal", thing | principal | kind),
            ("detach_thing_principal", thing | principal),
            ("create_thing_group", group),
            ("create_thing_group", {"thingGroupName": self.groups[1], "parentGroupName": self.groups[0]}),
            ("delete_thing_group", group),
            ("add_thing_to_thing_group", thing | group),
            ("remove_thing_from_thing_group", thing | group),
            ("create_billing_group", billing),
            ("delete_billing_group", billing),
            ("add_thing_to_billing_group", thing | billing),
            ("remove_thing_from_billing_group", thing | billing),
            ("create_policy", policy | {"policyDocument": ALLOW}),
            ("delete_policy", policy),
            ("attach_policy", policy | target),
            ("detach_policy", policy | target),
            ("update_certificate", certificate | {"newStatus": draw.choice(["ACTIVE", "INACTIVE"])}),
            ("transfer_certificate", certificate | {"targetAwsAccount": "999999999999"}),
            ("cancel_certificate_transfer", certificate),
            ("register_thing", {"templateBody": self._template(draw), "parameters": {}}),
        ]
        return draw.choice(calls)

    def half_done(self, iot: Any) -> Iterator[str]:
        """What is said of it in one direction and not in the other, or of what is not there."""
        for thing in self.things:
            there = ask(iot, "describe_thing", thingName=thing)
            billed = there.get("billingGroupName") if isinstance(there, dict) else None
            yield from _differ(
                f"principals of {thing}",
                _listed(iot, "list_thing_principals", "principals", thingName=thing),
                {
                    one
                    for one in self.certificates
                    if thing in _listed(iot, "list_principal_things", "things", principal=one)
                },
            )
            yield from _differ(
                f"groups of {thing}",
                {
                    one["groupName"]
                    for one in _entries(iot, "list_thing_groups_for_thing", "thingGroups", thingName=thing)
                },
                {
                    one
                    for one in self.groups
                    if thing in _listed(iot, "list_things_in_thing_group", "things", thingGroupName=one)
                },
            )
            yield from _differ(
                f"billing group of {thing}",
                set() if billed is None else {billed},
                {
                    one
                    for one in self.billing_groups
                    if thing in _listed(iot, "list_things_in_billing_group", "things", billingGroupName=one)
                },
            )
        for policy in self.policies:
            yield from _differ(
                f"targets of {policy}",
                _listed(iot, "list_targets_for_policy", "targets", policyName=policy),
                {
                    one
                    for one in self.targets
                    if policy
                    in {held["policyName"] for held in _entries(iot, "list_attached_policies", "policies", target=one)}
                },
            )
        below = ask(iot, "describe_thing_group", thingGroupName=self.groups[1])
        parent = below["thingGroupMetadata"].get("parentGroupName") if isinstance(below, dict) else None
        if parent is not None and not isinstance(ask(iot, "describe_thing_group", thingGroupName=parent), dict):
            yield f"{self.groups[1]} is below {parent}, which is not there"

    def _template(self, draw: random.Random) -> str:
        id_ = draw.choice(self.certificates).rpartition("/")[2]
        return json.dumps(
            {
                "Resources": {
                    "thing": {
                        "Type": "AWS::IoT::Thing",
                        "Properties": {
                            "ThingName": draw.choice(self.things),
                            "ThingGroups": [draw.choice(self.groups)],
                        },
                        "OverrideSettings": {"ThingGroups": "REPLACE"},
                    },
                    "certificate": {
                        "Type": "AWS::IoT::Certificate",
                        "Properties": {"CertificateId": id_},
                        "OverrideSettings": {"Status": "DO_NOTHING"},
                    },
                    "policy": {"Type": "AWS::IoT::Policy", "Properties": {"PolicyName": draw.choice(self.policies)}},
                }
            }
        )


def _entries(iot: Any, operation: str, member: str, **params: Any) -> list[Any]:
    """None of what does not exist."""
    answer = ask(iot, operation, **params)
    return list(answer[member]) if isinstance(answer, dict) else []


def _listed(iot: Any, operation: str, member: str, **params: Any) -> set[str]:
    return set(_entries(iot, operation, member, **params))


def _differ(what: str, one: set[str], other: set[str]) -> Iterator[str]:
    if one != other:
        yield f"{what}: {sorted(one)} from there, {sorted(other)} from the others"
