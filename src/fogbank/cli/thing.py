"""`fogbank thing`: devices of a running instance, made and removed with all that belongs to them."""

import hashlib
import json
from pathlib import Path
from typing import Any

import click

from fogbank.cli.api_errors import api_errors
from fogbank.cli.device_files import DeviceFiles
from fogbank.cli.instance import Instance
from fogbank.cli.thing_import import import_
from fogbank.cli.thing_search import search, show
from fogbank.cli.undo import Undo
from fogbank.cli.which import DATA

DEFAULT_POLICY = "fogbank-thing-default"
"""The name of the policy of things made without one of their own; shared by all of them."""

_THING = "${iot:Connection.Thing.ThingName}"
_OWN = (f"device/{_THING}", f"device/{_THING}/*")
_SHADOW = f"$aws/things/{_THING}/shadow/*"
_ARN = "arn:aws:iot:{region}:{account}:"


@click.group()
def thing() -> None:
    """Make, find and remove devices of the running instance.

    The instance is the one that --data names, else the one AWS_ENDPOINT_URL points at (`eval "$(fogbank env)"`), else
    the one on the default data directory.
    """


thing.add_command(show)
thing.add_command(search)
thing.add_command(import_)


@thing.command()
@click.argument("name")
@click.option("--type", "type_", metavar="TYPE", help="Its thing type, made where there is none yet.")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Its IoT policy document.  [default: to connect as itself, and to use device/NAME/... and its own shadow]",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Where to write NAME.cert.pem, NAME.private.key and ca.pem.",
)
@click.option(
    "--csr",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The device's certificate signing request: its key stays where it is, in a secure element for one.",
)
@DATA
def create(name: str, type_: str | None, policy: Path | None, out: Path, csr: Path | None, data: Path | None) -> None:
    """Make a thing with an active certificate and a policy, and write the files it connects with.

    A thing that exists already gets one more certificate. If anything fails, what was done is undone.

    \b
      fogbank thing create lamp --out certs
      fogbank thing create lamp --type bulb --policy lamp-policy.json --out certs
      fogbank thing create lamp --csr lamp.csr --out certs
    """
    instance = Instance.find(data)
    ca = instance.ca()
    files = DeviceFiles(out, name)
    with api_errors(f"create {name}"), Undo() as undo:
        files.check(ca)
        iot = instance.client("iot")
        region = iot.meta.region_name
        existed = _ensure_thing(iot, name, type_, undo)
        made = _certify(iot, csr)
        certificate = made["certificateArn"]
        undo.later(f"certificate {made['certificateId']}", lambda: _remove_certificate(iot, made["certificateId"]))
        account = certificate.split(":")[4]
        policy_name = _ensure_policy(iot, policy, region, account, undo)
        iot.attach_policy(policyName=policy_name, target=certificate)
        undo.later(f"{policy_name} on it", lambda: iot.detach_policy(policyName=policy_name, target=certificate))
        iot.attach_thing_principal(thingName=name, principal=certificate)
        undo.later(f"{name} on it", lambda: iot.detach_thing_principal(thingName=name, principal=certificate))
        host, port = _endpoint(iot)
        files.write(made["certificatePem"], made.get("keyPair", {}).get("PrivateKey"), ca)
        undo.forget()
    click.echo(f"thing        {name}" + (" (existed: it has one more certificate now)" if existed else ""))
    click.echo(f"certificate  {made['certificateId']}  ACTIVE")
    click.echo(f"policy       {policy_name}")
    if csr is not None:
        click.echo(f"files        {files.certificate}  {files.ca}")
        return
    click.echo(f"files        {files.certificate}  {files.key}  {files.ca}")
    click.echo("\nTo connect (pip install awsiotsdk):\n")
    click.echo(_lines_to_connect(name, host, port, files))


@thing.command("list")
@DATA
def list_(data: Path | None) -> None:
    """List the things: name and type."""
    instance = Instance.find(data)
    with api_errors("list things"):
        for page in instance.client("iot").get_paginator("list_things").paginate():
            for one in page["things"]:
                click.echo("  ".join(filter(None, (one["thingName"], one.get("thingTypeName")))))


@thing.command()
@click.argument("name")
@DATA
def delete(name: str, data: Path | None) -> None:
    """Remove a thing with its certificates and its classic shadow.

    Its certificates are detached, made inactive, which ends their connections, and deleted; one that another thing
    uses too is only detached. Policies stay. Files on disk stay too, and are worth nothing any more.
    """
    instance = Instance.find(data)
    with api_errors(f"delete {name}"):
        iot = instance.client("iot")
        iot.describe_thing(thingName=name)
        pages = [*iot.get_paginator("list_thing_principals").paginate(thingName=name)]  # before any of them goes
        for certificate in [one for page in pages for one in page["principals"]]:
            _let_go(iot, name, certificate)
        _delete_shadow(instance, name)
        iot.delete_thing(thingName=name)
    click.echo(f"thing        {name}  deleted")


def _ensure_thing(iot: Any, name: str, type_: str | None, undo: Undo) -> bool:
    """Make the thing, and its type where that is new. Returns whether it existed."""
    try:
        found = iot.describe_thing(thingName=name)
    except iot.exceptions.ResourceNotFoundException:
        pass
    else:
        if type_ is not None and found.get("thingTypeName") != type_:
            raise click.ClickException(
                f"thing {name} exists and is of {found.get('thingTypeName') or 'no type'}, not {type_}"
            )
        return True
    if type_ is not None:
        iot.create_thing_type(thingTypeName=type_)  # no error where it exists
    iot.create_thing(thingName=name, **({} if type_ is None else {"thingTypeName": type_}))
    undo.later(f"thing {name}", lambda: iot.delete_thing(thingName=name))
    return False


def _certify(iot: Any, csr: Path | None) -> dict[str, Any]:
    """A new active certificate, for a new key or that of a request."""
    if csr is None:
        made: dict[str, Any] = iot.create_keys_and_certificate(setAsActive=True)
    else:
        made = iot.create_certificate_from_csr(certificateSigningRequest=csr.read_text(), setAsActive=True)
    return made


def _ensure_policy(iot: Any, file: Path | None, region: str, account: str, undo: Undo) -> str:
    """The name of the policy, made where there is none yet. Equal files share one: the name has their digest."""
    if file is None:
        name, document = DEFAULT_POLICY, default_policy(region, account)
    else:
        document = file.read_text()
        stem = "".join(one if one.isascii() and (one.isalnum() or one in "_-") else "-" for one in file.stem)
        name = f"{stem[:100]}-{hashlib.sha256(document.encode()).hexdigest()[:8]}"
    try:
        iot.get_policy(policyName=name)
    except iot.exceptions.ResourceNotFoundException:
        try:
            iot.create_policy(policyName=name, policyDocument=document)
        except iot.exceptions.ResourceAlreadyExistsException:
            pass  # somebody else was quicker to make the same
        else:
            undo.later(f"policy {name}", lambda: iot.delete_policy(policyName=name))
    return name


def default_policy(region: str, account: str) -> str:
    """What a thing may do that has no policy of its own: be itself, and use its own topics and shadow."""
    arn = _ARN.format(region=region, account=account)
    own = [f"{arn}topic/{topic}" for topic in _OWN]
    topics = [*own, f"{arn}topic/{_SHADOW}"]
    filters = [f"{arn}topicfilter/{topic}" for topic in (*_OWN, _SHADOW)]
    statements = [
        {
            "Effect": "Allow",
            "Action": "iot:Connect",
            "Resource": f"{arn}client/{_THING}",
            "Condition": {"Bool": {"iot:Connection.Thing.IsAttached": "true"}},
        },
        {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": topics},
        {"Effect": "Allow", "Action": "iot:RetainPublish", "Resource": own},
        {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": filters},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _endpoint(iot: Any) -> tuple[str, int]:
    """Host and port that devices connect to; the port is only named where it is not AWS's."""
    address: str = iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"]
    host, colon, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdigit() else (address, 8883)


def _lines_to_connect(name: str, host: str, port: int, files: DeviceFiles) -> str:
    return f"""\
from awscrt.mqtt import QoS
from awsiot import mqtt_connection_builder
device = mqtt_connection_builder.mtls_from_path(endpoint={host!r}, port={port}, client_id={name!r},
    cert_filepath={str(files.certificate)!r}, pri_key_filepath={str(files.key)!r}, ca_filepath={str(files.ca)!r})
device.connect().result()
device.publish("device/{name}/hello", "it works", QoS.AT_LEAST_ONCE)[0].result()"""


def _let_go(iot: Any, name: str, certificate: str) -> None:
    """Detach a certificate, and delete it where no other thing uses it."""
    iot.detach_thing_principal(thingName=name, principal=certificate)
    if iot.list_principal_things(principal=certificate)["things"]:
        click.echo(f"certificate  {certificate.rpartition('/')[2]}  detached (another thing uses it)")
        return
    pages = [*iot.get_paginator("list_attached_policies").paginate(target=certificate)]
    for policy in [one for page in pages for one in page["policies"]]:
        iot.detach_policy(policyName=policy["policyName"], target=certificate)
    certificate_id = certificate.rpartition("/")[2]
    _remove_certificate(iot, certificate_id)
    click.echo(f"certificate  {certificate_id}  deleted")


def _remove_certificate(iot: Any, certificate_id: str) -> None:
    iot.update_certificate(certificateId=certificate_id, newStatus="INACTIVE")
    iot.delete_certificate(certificateId=certificate_id)


def _delete_shadow(instance: Instance, name: str) -> None:
    """So that a thing of the same name does not begin with its predecessor's state."""
    data = instance.client("iot-data")
    try:
        data.delete_thing_shadow(thingName=name)
    except data.exceptions.ResourceNotFoundException:
        pass
