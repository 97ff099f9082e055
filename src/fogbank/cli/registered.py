"""A certificate of a running instance with all that its policies are evaluated by, read through the API."""

import re
from functools import cache
from typing import Any

import click

from fogbank.arns import Arns
from fogbank.cli.api_errors import api_errors
from fogbank.cli.instance import Instance
from fogbank.cli.simulation import Principal
from fogbank.ports import Identity, PolicyDocument, ThingContext

_CERTIFICATE = re.compile(r"(?:arn:[^:]*:iot:[^:]*:[^:]*:cert/)?([0-9a-f]{64})")


def registered(instance: Instance, certificate: str) -> Principal:
    """The principal that a certificate is, given by ID or ARN. Raises ClickException where the registry has none.

    Its things are read when they are first asked for: of a gateway's thousands one or two matter.
    """
    known = _CERTIFICATE.fullmatch(certificate)
    if known is None:
        raise click.ClickException(
            f"{certificate!r} is neither a certificate ID (64 hex digits) nor a certificate's ARN"
        )
    iot = instance.client("iot")

    def describe(name: str) -> ThingContext:
        with api_errors():
            found = iot.describe_thing(thingName=name)
        return ThingContext(name, True, found.get("thingTypeName"), found.get("attributes", {}))

    def effective(**of: str) -> tuple[PolicyDocument, ...]:
        with api_errors():
            found = iot.get_effective_policies(**of)["effectivePolicies"]
        return tuple(PolicyDocument(one["policyName"], one["policyDocument"]) for one in found)

    with api_errors():
        identity = _identity(iot, known[1])
        attached = _all(iot, "list_principal_things_v2", "principalThingObjects", principal=identity.arn)
    _, partition, _, region, account, _ = identity.arn.split(":", 5)
    return Principal(
        Arns(region, account, partition),
        effective(principal=identity.arn),
        identity,
        {one["thingName"]: one["thingPrincipalType"] == "EXCLUSIVE_THING" for one in attached},
        cache(describe),
        cache(lambda thing: effective(thingName=thing)),
    )


def _identity(iot: Any, id_: str) -> Identity:
    from cryptography import x509

    from fogbank.registry.certificate_variables import certificate_variables

    found = iot.describe_certificate(certificateId=id_)["certificateDescription"]
    status: str = found["status"]
    return Identity(
        id_,
        found["certificateArn"],
        active=status == "ACTIVE",
        reason="" if status == "ACTIVE" else f"certificate is {status}",
        attributes=certificate_variables(x509.load_pem_x509_certificate(found["certificatePem"].encode())),
    )


def _all(iot: Any, operation: str, members: str, **parameters: str) -> list[dict[str, str]]:
    return [one for page in iot.get_paginator(operation).paginate(**parameters) for one in page[members]]
