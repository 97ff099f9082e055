"""Devices that are provisioned in tests: their templates, and what these name."""

import json
from typing import Any

from fogbank.registry.provisioning.template import Template, TemplateKind
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'
STRING = {"Type": "String"}


def template(
    *,
    kind: TemplateKind = TemplateKind.REGISTRATION,
    thing: dict[str, Any] | None = None,
    overrides: dict[str, str] | None = None,
    certificate: dict[str, Any] | None = None,
    status: str | None = None,
    policies: dict[str, dict[str, Any]] | None = None,
) -> Template:
    """A thing named by the parameter Name, a certificate and a policy."""
    if certificate is None:
        id_ = {"Ref": "AWS::IoT::Certificate::Id"}
        certificate = {"CertificateId": id_} if kind.own else {"CertificateSigningRequest": {"Ref": "CSR"}}
    properties = {"ThingName": {"Ref": "Name"}, **(thing or {})}
    given = policies if policies is not None else {"policy": {"PolicyDocument": POLICY}}
    resources: dict[str, Any] = {
        "thing": {"Type": "AWS::IoT::Thing", "Properties": properties, "OverrideSettings": overrides or {}},
        "certificate": {
            "Type": "AWS::IoT::Certificate",
            "Properties": certificate,
            "OverrideSettings": {} if status is None else {"Status": status},
        },
        **{name: {"Type": "AWS::IoT::Policy", "Properties": one} for name, one in given.items()},
    }
    parameters = {"Name": STRING, "CSR": STRING, "Id": STRING, "Pem": STRING, "Ca": STRING}
    return Template.parse(json.dumps({"Parameters": parameters, "Resources": resources}), kind)


async def stock(registry: Registry) -> Registry:
    await registry.thing_types.create("bulb")
    await registry.thing_types.create("lamp")
    for group in ("hall", "attic", "cellar"):
        await registry.thing_groups.create(group)
    await registry.billing_groups.create("payer")
    await registry.billing_groups.create("other")
    return registry


async def groups_of(registry: Registry, thing: str) -> list[str]:
    return (await registry.group_members.groups_of(thing, Paging())).items


WHOLE = {
    "ThingTypeName": "bulb",
    "AttributePayload": {"serial": "1"},
    "ThingGroups": ["hall", "attic"],
    "BillingGroup": "payer",
}


async def assert_nothing(registry: Registry) -> None:
    assert (await registry.things.page(Paging())).items == []
    assert (await registry.certificates.page(Paging())).items == []
    assert (await registry.policies.page(Paging())).items == []
