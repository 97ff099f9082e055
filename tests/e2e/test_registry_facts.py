"""The registry by its documentation, from outside: names, limits, and callers who get in each other's way.

The sources are the API model (patterns, lengths, errors) and the general reference (limits)."""

import random
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError
from tests.e2e.registry_storm import ALLOW, Cast, Failure, ask, at_once, client, signing_request
from tests.registry import pki

from fogbank.cli.demo.server import Server
from fogbank.ready import Ready

INVALID: Failure = ("InvalidRequestException", 400)
LIMIT: Failure = ("LimitExceededException", 410)
CERTIFICATE = "arn:aws:iot:us-east-1:123456789012:cert/" + "a" * 64


@pytest.fixture(scope="module")
def iot(where: Ready) -> Any:
    return client(where)


BAD = [
    "a b",
    " ",
    "a/b",
    "a%2Fb",
    "a\\b",
    "..",
    "*",
    "a+",
    "a#",
    "$aws",
    "a.b",
    "a,b",
    "a@b",
    "ü",
    "\u202e",
    "a\0",
    "a\n",
]
"""Good for no thing, type or group; empty ones are other addresses, and none of an operation."""
PATTERNS = {
    "thing": [*BAD, "a" * 129],
    "policy": ["a b", "a/b", "a%2Fb", "..\\", "a:b", "a#", "ü", "a\0", "a\n", "a" * 129],
    "certificate": ["g" * 64, "a" * 63, "a" * 65, "a/" * 32, "ü" * 64, "a" * 63 + "\n"],
    "template": [*BAD, "a:b", "a" * 37],
    "job": [*BAD, "a:b", "a" * 65],
    "task": ["a b", "a/b", "ü", "a" * 41],
}
NAMED = {
    ("thing", "thingName"): "create_thing describe_thing update_thing delete_thing list_thing_principals"
    " list_thing_principals_v2 list_thing_groups_for_thing list_job_executions_for_thing attach_thing_principal"
    " detach_thing_principal add_thing_to_thing_group add_thing_to_billing_group update_thing_groups_for_thing",
    ("thing", "thingTypeName"): "create_thing_type describe_thing_type update_thing_type deprecate_thing_type"
    " delete_thing_type",
    ("thing", "thingGroupName"): "create_thing_group describe_thing_group update_thing_group delete_thing_group"
    " list_things_in_thing_group create_dynamic_thing_group delete_dynamic_thing_group",
    ("thing", "billingGroupName"): "create_billing_group describe_billing_group update_billing_group"
    " delete_billing_group list_things_in_billing_group",
    ("policy", "policyName"): "create_policy get_policy delete_policy list_policy_versions list_targets_for_policy"
    " attach_policy",
    ("certificate", "certificateId"): "describe_certificate update_certificate delete_certificate"
    " accept_certificate_transfer reject_certificate_transfer cancel_certificate_transfer describe_ca_certificate"
    " delete_ca_certificate",
    ("certificate", "caCertificateId"): "list_certificates_by_ca",
    ("template", "templateName"): "describe_provisioning_template update_provisioning_template"
    " delete_provisioning_template list_provisioning_template_versions create_provisioning_claim",
    ("job", "jobId"): "describe_job cancel_job delete_job get_job_document",
    ("task", "taskId"): "describe_thing_registration_task stop_thing_registration_task",
}
ADDRESSES = [(kind, member, operation) for (kind, member), all_ in NAMED.items() for operation in all_.split()]
GIVEN: dict[str, dict[str, Any]] = {
    "update_thing_group": {"thingGroupProperties": {}},
    "update_thing_type": {"thingTypeProperties": {}},
    "create_dynamic_thing_group": {"queryString": "thingName:a"},
    "update_billing_group": {"billingGroupProperties": {}},
    "attach_thing_principal": {"principal": CERTIFICATE},
    "detach_thing_principal": {"principal": CERTIFICATE},
    "add_thing_to_thing_group": {"thingGroupName": "g"},
    "add_thing_to_billing_group": {"billingGroupName": "g"},
    "update_thing_groups_for_thing": {"thingGroupsToAdd": ["g"]},
    "create_policy": {"policyDocument": ALLOW},
    "attach_policy": {"target": CERTIFICATE},
    "update_certificate": {"newStatus": "INACTIVE"},
}
"""What else an operation needs."""


@pytest.mark.parametrize(("kind", "member", "operation"), ADDRESSES, ids=[operation for *_, operation in ADDRESSES])
def test_names_that_cannot_be(iot: Any, kind: str, member: str, operation: str) -> None:
    given = GIVEN.get(operation, {})
    got = {name: ask(iot, operation, **{member: name}, **given) for name in PATTERNS[kind]}
    assert got == dict.fromkeys(PATTERNS[kind], INVALID)


def _attributes(count: int) -> dict[str, Any]:
    return {"attributes": {f"a{one}": "1" for one in range(count)}}


def _propagating(count: int) -> dict[str, Any]:
    attributes = [{"userPropertyKey": f"k{one}", "thingAttribute": f"a{one}"} for one in range(count)]
    return {"mqtt5Configuration": {"propagatingAttributes": attributes}}


AT_MOST: dict[str, tuple[str, str, Callable[[int], dict[str, Any]], int]] = {
    "attributes without a type": ("create_thing", "thingName", lambda n: {"attributePayload": _attributes(n)}, 3),
    "length of an attribute's name": (
        "create_thing",
        "thingName",
        lambda n: {"attributePayload": {"attributes": {"a" * n: "1"}}},
        128,
    ),
    "length of an attribute's value": (
        "create_thing",
        "thingName",
        lambda n: {"attributePayload": {"attributes": {"a": "1" * n}}},
        800,
    ),
    "attributes of a group": (
        "create_thing_group",
        "thingGroupName",
        lambda n: {"thingGroupProperties": {"attributePayload": _attributes(n)}},
        50,
    ),
    "searchable attributes": (
        "create_thing_type",
        "thingTypeName",
        lambda n: {"thingTypeProperties": {"searchableAttributes": [f"a{one}" for one in range(n)]}},
        3,
    ),
    "propagating attributes": (
        "create_thing_type",
        "thingTypeName",
        lambda n: {"thingTypeProperties": _propagating(n)},
        20,
    ),
    "description of a type": (
        "create_thing_type",
        "thingTypeName",
        lambda n: {"thingTypeProperties": {"thingTypeDescription": "d" * n}},
        2028,
    ),
    "a tag's key": (
        "create_billing_group",
        "billingGroupName",
        lambda n: {"tags": [{"Key": "k" * n, "Value": ""}]},
        128,
    ),
    "a tag's value": (
        "create_billing_group",
        "billingGroupName",
        lambda n: {"tags": [{"Key": "k", "Value": "v" * n}]},
        256,
    ),
}


@pytest.mark.parametrize("what", AT_MOST)
def test_limits_of_one_resource(iot: Any, name: str, what: str) -> None:
    operation, member, given, most = AT_MOST[what]
    assert isinstance(ask(iot, operation, **{member: name}, **given(most)), dict)
    assert ask(iot, operation, **{member: f"{name}-more"}, **given(most + 1)) == INVALID


def test_attributes_with_a_type(iot: Any, name: str) -> None:
    iot.create_thing_type(thingTypeName=name)
    create = partial(ask, iot, "create_thing", thingTypeName=name)
    assert isinstance(create(thingName=f"{name}-50", attributePayload=_attributes(50)), dict)
    assert create(thingName=f"{name}-51", attributePayload=_attributes(51)) == INVALID
    assert ask(iot, "update_thing", thingName=f"{name}-50", removeThingType=True) == INVALID


@pytest.mark.parametrize(
    ("operation", "size", "mark"),
    [
        *(
            (f"list_{what}", "maxResults", "nextToken")
            for what in ("things", "thing_types", "thing_groups", "billing_groups", "provisioning_templates", "jobs")
        ),
        *(
            (f"list_{what}", "pageSize", "marker")
            for what in ("certificates", "ca_certificates", "policies", "outgoing_certificates")
        ),
    ],
)
def test_pages(iot: Any, operation: str, size: str, mark: str) -> None:
    got = [ask(iot, operation, **{size: value}) for value in (0, -1, 251)]
    got += [ask(iot, operation, **{mark: token}) for token in ("garbage", "a b", "QUFB")]
    assert got == [INVALID] * 6
    assert isinstance(ask(iot, operation, **{size: 250}), dict)


class TestACrowd:
    """Twenty callers at once: as many succeed as there is room for."""

    def test_limits_hold(self, iot: Any, name: str) -> None:
        group = iot.create_thing_group(thingGroupName=name)["thingGroupArn"]
        iot.create_thing(thingName=name)
        roots = [iot.create_thing_group(thingGroupName=f"{name}-r{one}")["thingGroupName"] for one in range(20)]
        billing = [iot.create_billing_group(billingGroupName=f"{name}-b{one}")["billingGroupName"] for one in range(5)]
        policies = [
            iot.create_policy(policyName=f"{name}-p{one}", policyDocument=ALLOW)["policyName"] for one in range(20)
        ]
        [certificate] = [iot.create_keys_and_certificate()["certificateArn"]]
        crowds: list[tuple[str, list[dict[str, Any]], int, Failure]] = [
            (
                "create_thing_group",
                [{"thingGroupName": f"{name}-c{one}", "parentGroupName": name} for one in range(110)],
                100,
                INVALID,
            ),
            ("add_thing_to_thing_group", [{"thingName": name, "thingGroupName": one} for one in roots], 10, INVALID),
            (
                "add_thing_to_billing_group",
                [{"thingName": name, "billingGroupName": one} for one in billing],
                1,
                INVALID,
            ),
            ("attach_policy", [{"policyName": one, "target": certificate} for one in policies], 10, LIMIT),
            ("attach_policy", [{"policyName": one, "target": group} for one in policies], 2, LIMIT),
            (
                "create_policy_version",
                [{"policyName": policies[0], "policyDocument": ALLOW}] * 20,
                4,
                ("VersionsLimitExceededException", 409),
            ),
            (
                "tag_resource",
                [{"resourceArn": group, "tags": [{"Key": f"k{one}", "Value": "v"}]} for one in range(60)],
                50,
                LIMIT,
            ),
            (
                "update_thing",
                [{"thingName": name, "expectedVersion": 1}] * 20,
                1,
                ("VersionConflictException", 409),
            ),
        ]
        for operation, calls, room, refusal in crowds:
            got = at_once([partial(ask, iot, operation, **params) for params in calls])
            refused = [one for one in got if not isinstance(one, dict)]
            assert (operation, len(got) - len(refused), set(refused)) == (operation, room, {refusal})
        assert len(iot.list_thing_groups(parentGroup=name, maxResults=250)["thingGroups"]) == 100
        assert len(iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]) == 10

    def test_an_exclusive_certificate_has_one_thing(self, iot: Any, name: str) -> None:
        certificate = iot.create_keys_and_certificate()["certificateArn"]
        things = [iot.create_thing(thingName=f"{name}-{one}")["thingName"] for one in range(20)]
        attach = partial(ask, iot, "attach_thing_principal", principal=certificate)
        kinds = ["EXCLUSIVE_THING", "NON_EXCLUSIVE_THING"] * 10
        at_once(
            [partial(attach, thingName=one, thingPrincipalType=kind) for one, kind in zip(things, kinds, strict=True)]
        )
        attached = iot.list_principal_things_v2(principal=certificate)["principalThingObjects"]
        assert len(attached) == 1 or {one["thingPrincipalType"] for one in attached} == {"NON_EXCLUSIVE_THING"}

    def test_one_of_a_name(self, iot: Any, name: str) -> None:
        """The same configuration is no conflict (API reference, CreateThing)."""
        same = at_once([partial(ask, iot, "create_thing", thingName=name)] * 20)
        assert len({one["thingId"] for one in same}) == 1
        different = at_once(
            [
                partial(
                    ask, iot, "create_thing", thingName=f"{name}-2", attributePayload={"attributes": {"a": str(one)}}
                )
                for one in range(20)
            ]
        )
        refused = [one for one in different if not isinstance(one, dict)]
        assert refused == [("ResourceAlreadyExistsException", 409)] * 19

    def test_ten_cas_of_a_subject(self, iot: Any, name: str) -> None:
        code = iot.get_registration_code()["registrationCode"]
        cas = [pki.Authority(name) for _ in range(13)]
        got = at_once(
            [
                partial(
                    ask,
                    iot,
                    "register_ca_certificate",
                    caCertificate=ca.pem,
                    verificationCertificate=ca.verification(code),
                    setAsActive=True,
                )
                for ca in cas
            ]
        )
        assert [one for one in got if not isinstance(one, dict)] == [LIMIT] * 3
        known = [ca for ca, answer in zip(cas, got, strict=True) if isinstance(answer, dict)]
        certificate = pki.pem(known[0].issue())
        register = partial(ask, iot, "register_certificate", certificatePem=certificate)
        assert register() == ("CertificateConflictException", 409)
        assert register(caCertificatePem=known[1].pem) == ("CertificateValidationException", 400)
        by_its_ca = at_once([partial(register, caCertificatePem=known[0].pem)] * 10)
        assert [one for one in by_its_ca if not isinstance(one, dict)] == [("ResourceAlreadyExistsException", 409)] * 9


def test_a_tug_of_war_leaves_nothing_half_done(where: Ready, iot: Any, name: str) -> None:
    """Nor does anybody hear of an error that the operation does not have."""
    cast = Cast(iot, where, name)

    def pull(seed: int) -> set[tuple[str, str]]:
        draw, own = random.Random(seed), client(where)
        heard = set()
        for _ in range(60):
            operation, params = cast.call(draw)
            answer = ask(own, operation, **params)
            if not isinstance(answer, dict):
                heard.add((operation, answer[0]))
        return heard

    heard = set[tuple[str, str]]().union(*at_once([partial(pull, seed) for seed in range(20)]))
    assert list(cast.half_done(iot)) == []
    operations = iot.meta.method_to_api_mapping
    model = iot.meta.service_model
    documented = {
        (operation, shape.name)
        for operation, _ in heard
        for shape in model.operation_model(operations[operation]).error_shapes
    }
    assert heard - documented == set()


def test_a_kill_in_the_storm_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", tmp_path / "server.log")
    try:
        where = server.start()
        acknowledged: dict[tuple[str, ...], bool] = {}
        storm = [threading.Thread(target=_register, args=(client(where), f"s{one}", acknowledged)) for one in range(6)]
        for one in storm:
            one.start()
        while len(acknowledged) < 200 and any(one.is_alive() for one in storm):
            storm[0].join(0.01)
        server.stop(signal.SIGKILL)
        for one in storm:
            one.join()
        iot = client(server.start())
        wrong = [said for said, there in acknowledged.items() if _is_there(iot, *said) is not there]
        assert (len(acknowledged) >= 200, wrong) == (True, [])
    finally:
        server.stop()


def _register(iot: Any, name: str, acknowledged: dict[tuple[str, ...], bool]) -> None:
    """Thing after thing with all that belongs to it, every other one taken apart again, until nobody answers.

    `acknowledged` is what must be there and what must not; what was asked for last may be there or not.
    """
    try:
        for number in range(10_000):
            one = f"{name}-{number}"
            iot.create_thing(thingName=one)
            acknowledged["thing", one] = True
            iot.create_thing_group(thingGroupName=one)
            iot.add_thing_to_thing_group(thingName=one, thingGroupName=one)
            acknowledged["member", one] = True
            arn = iot.create_certificate_from_csr(certificateSigningRequest=REQUEST)["certificateArn"]
            iot.attach_thing_principal(thingName=one, principal=arn)
            acknowledged["principal", one, arn] = True
            iot.create_policy(policyName=one, policyDocument=ALLOW)
            iot.attach_policy(policyName=one, target=arn)
            acknowledged["policy", one, arn] = True
            if number % 2:
                for call, of in (
                    (partial(iot.detach_policy, policyName=one, target=arn), ("policy", one, arn)),
                    (partial(iot.detach_thing_principal, thingName=one, principal=arn), ("principal", one, arn)),
                    (partial(iot.delete_thing_group, thingGroupName=one), ("member", one)),
                    (partial(iot.delete_thing, thingName=one), ("thing", one)),
                ):
                    del acknowledged[of]
                    call()
                    acknowledged[of] = False
    except BotoCoreError:
        pass


REQUEST = signing_request()


def _is_there(iot: Any, kind: str, one: str, arn: str = "") -> bool:
    """As both sides say. Where they differ it is neither."""
    match kind:
        case "thing":
            return isinstance(ask(iot, "describe_thing", thingName=one), dict)
        case "member":
            sides = (
                ("list_thing_groups_for_thing", {"thingName": one}, "thingGroups"),
                ("list_things_in_thing_group", {"thingGroupName": one}, "things"),
            )
        case "principal":
            sides = (
                ("list_thing_principals", {"thingName": one}, "principals"),
                ("list_principal_things", {"principal": arn}, "things"),
            )
        case _:
            sides = (
                ("list_targets_for_policy", {"policyName": one}, "targets"),
                ("list_attached_policies", {"target": arn}, "policies"),
            )
    found = []
    for operation, params, member in sides:
        answer = ask(iot, operation, **params)
        found.append(isinstance(answer, dict) and len(answer[member]) == 1)
    assert found[0] == found[1], (kind, one, found)
    return found[0]
