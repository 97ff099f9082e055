"""`fogbank thing show` and `fogbank thing search`: what is known of devices."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from fogbank.cli.api_errors import api_errors
from fogbank.cli.instance import Instance
from fogbank.cli.terminal import printable
from fogbank.cli.which import DATA

LARGEST_PAGE = 250


@click.command()
@click.argument("name")
@DATA
def show(name: str, data: Path | None) -> None:
    """Print what is known of a thing: attributes, groups, certificates with their policies, shadows, connection."""
    instance = Instance.find(data)
    iot, plane = instance.client("iot"), instance.client("iot-data")
    with api_errors(f"show {name}"):
        for label, text in _about(iot, plane, name):
            click.echo(f"{label:13}{printable(text)}".rstrip())


@click.command()
@click.argument("query")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@click.option("--json", "as_json", is_flag=True, help="Print what is found as it is, a JSON object per line.")
@DATA
def search(query: str, limit: int, as_json: bool, data: Path | None) -> None:
    """List the things that match a query in AWS's language of fleet indexing.

    \b
      fogbank thing search 'thingName:lamp*'
      fogbank thing search 'attributes.room:hall AND connectivity.connected:false'
      fogbank thing search 'shadow.reported.battery<20 AND NOT thingTypeName:legacy' --json

    Exits 0 where anything was found, else 1.
    """
    import msgspec

    iot = Instance.find(data).client("iot")
    found = False
    with api_errors("search"):
        for one in _found(iot, query, limit):
            found = True
            click.echo(msgspec.json.encode(one).decode() if as_json else printable(_line(one)))
    sys.exit(0 if found else 1)


def _found(iot: Any, query: str, limit: int) -> Iterator[dict[str, Any]]:
    """Of all pages."""
    more: dict[str, str] = {}
    while limit > 0:
        page = iot.search_index(queryString=query, maxResults=min(limit, LARGEST_PAGE), **more)
        yield from page["things"][:limit]
        limit -= len(page["things"])
        if not page.get("nextToken"):
            return
        more = {"nextToken": page["nextToken"]}


def _line(one: dict[str, Any]) -> str:
    connectivity = one.get("connectivity") or {}
    state = "connected" if connectivity.get("connected") else "-"
    attributes = " ".join(f"{name}={value}" for name, value in sorted(one.get("attributes", {}).items()))
    return f"{one['thingName']:24}  {one.get('thingTypeName') or '-':16}  {state:9}  {attributes}".rstrip()


def _about(iot: Any, plane: Any, name: str) -> Iterator[tuple[str, str]]:
    thing = iot.describe_thing(thingName=name)
    yield "thing", f"{name}  {thing['thingId']}  version {thing['version']}"
    yield "type", thing.get("thingTypeName") or "-"
    for attribute, value in sorted(thing.get("attributes", {}).items()):
        yield "attribute", f"{attribute} = {value}"
    for group in iot.list_thing_groups_for_thing(thingName=name)["thingGroups"]:
        yield "group", group["groupName"]
    if thing.get("billingGroupName"):
        yield "billing group", thing["billingGroupName"]
    for principal in iot.list_thing_principals_v2(thingName=name)["thingPrincipalObjects"]:
        yield from _principal(iot, principal["principal"], principal.get("thingPrincipalType", ""))
    yield from _shadows(plane, name)
    connectivity = iot.get_thing_connectivity_data(thingName=name)
    yield "connected", "yes" if connectivity["connected"] else "no"


def _principal(iot: Any, arn: str, type_: str) -> Iterator[tuple[str, str]]:
    id_ = arn.rpartition("/")[2]
    found = iot.describe_certificate(certificateId=id_)["certificateDescription"]
    until = found["validity"]["notAfter"]
    alone = "  for this thing alone" if type_ == "EXCLUSIVE_THING" else ""
    yield "certificate", f"{id_}  {found['status']}  until {until:%Y-%m-%d}{alone}"
    for policy in iot.list_attached_policies(target=arn)["policies"]:
        yield "  policy", policy["policyName"]


def _shadows(plane: Any, name: str) -> Iterator[tuple[str, str]]:
    try:
        yield "shadow", plane.get_thing_shadow(thingName=name)["payload"].read().decode()
    except plane.exceptions.ResourceNotFoundException:
        pass
    for shadow in plane.list_named_shadows_for_thing(thingName=name)["results"]:
        document = plane.get_thing_shadow(thingName=name, shadowName=shadow)["payload"].read().decode()
        yield "shadow", f"{shadow}: {document}"
