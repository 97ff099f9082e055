"""`fogbank up`: the server."""

import asyncio
import gc
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from fogbank.cli.data_dir import READY_FILE, default_data_dir
from fogbank.errors import FogbankError
from fogbank.settings import AccessKey, Endpoints, Limits, Secret, Settings


class AccessKeyPair(click.ParamType[AccessKey]):
    """ID:SECRET."""

    name = "ID:SECRET"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AccessKey:
        if isinstance(value, AccessKey):
            return value
        id_, colon, secret = str(value).partition(":")
        if not (id_ and colon and secret):
            self.fail("give the access key as ID:SECRET", param, ctx)
        return AccessKey(id_, secret)


PORT = click.IntRange(0, 65535)
PASSPHRASE = "FOGBANK_CA_PASSPHRASE"  # noqa: S105


@click.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything is kept.  [default: $FOGBANK_DATA, else ~/.local/share/fogbank]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="Name or address that devices use; the certificate bears it, DescribeEndpoint answers the first. Repeatable.",
)
@click.option(
    "--api-port", type=PORT, default=4566, show_default=True, help="The HTTP API (boto3, the AWS CLI), and WebSocket."
)
@click.option(
    "--mqtt-port",
    type=PORT,
    default=8883,
    show_default=True,
    help="MQTT over mutual TLS; MQTT over WebSocket and HTTPS, too.",
)
@click.option(
    "--https-port",
    type=PORT,
    default=8443,
    show_default=True,
    help="HTTPS for devices; all that --mqtt-port serves, too.",
)
@click.option(
    "--plain-mqtt-port",
    type=PORT,
    help="MQTT without TLS, on loopback alone, for tools that cannot do TLS.  [default: off]",
)
@click.option(
    "--plain-policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="IoT policy of the plain listener's nameless clients.  [default: everything allowed]",
)
@click.option(
    "--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], default="us-east-1", show_default=True, help="AWS region."
)
@click.option("--account-id", default="123456789012", show_default=True, help="AWS account ID: twelve digits.")
@click.option(
    "--access-key",
    type=AccessKeyPair(),
    envvar="FOGBANK_ACCESS_KEY",
    help="The access key with all rights.  [default: made on first start]",
)
@click.option(
    "--limits",
    type=click.Choice([limits.value for limits in Limits]),
    default=Limits.AWS.value,
    show_default=True,
    help="aws: AWS IoT's sizes and depths; strict: its rates as well; open: what MQTT itself allows.",
)
@click.option(
    "--connections-per-principal",
    type=click.IntRange(min=1),
    metavar="N",
    help="MQTT connections that one certificate, access key or token holder may have at once.  [default: any number]",
)
@click.option(
    "--check-roles",
    is_flag=True,
    help="Check the roles of rules even while the account has neither a role nor a user, when all are taken for good.",
)
@click.option(
    "--ca-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What encrypts the keys of the instance's CA: the text in a file that only you can read, or that of "
    "FOGBANK_CA_PASSPHRASE.  [default: made on first start, in ca-passphrase in the data directory: move it to where "
    "backups of the data do not reach, and name it here]",
)
@click.option(
    "--ready-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write addresses and keys here, as JSON, once every listener accepts.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log connections and requests too.")
def up(data: Path | None, limits: str, verbose: bool, **options: Any) -> None:
    """Start the platform and serve until SIGINT or SIGTERM.

    \b
    Port 0 takes any free port. When everything accepts, one line on stdout says
    where; the same and the keys are in the ready file. Examples:
      fogbank up
      fogbank up --data /tmp/fog --api-port 0 --mqtt-port 0 --https-port 0 --ready-file ready.json

    Rules call other services where the environment says they are: AWS_ENDPOINT_URL_SQS and the like for one service,
    AWS_ENDPOINT_URL for all others, FOGBANK_CALL_AWS=1 for AWS itself; and sign as AWS's SDKs do, by
    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile.
    """
    _check(options)
    data_dir = (data or default_data_dir()).absolute()
    passphrase_file = options.pop("ca_passphrase_file")
    from fogbank.cli.logs import set_up_logging  # after the options are known to be good
    from fogbank.outbound import read_endpoints

    try:
        endpoints = _others(read_endpoints(os.environ), options["host"], options["api_port"])
        passphrase = _passphrase(passphrase_file)
        settings = Settings(
            data_dir=data_dir, limits=Limits(limits), endpoints=endpoints, ca_passphrase=passphrase, **options
        )
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        set_up_logging(data_dir, verbose=verbose)
        _run(settings)
    except FogbankError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(str(error).removeprefix(f"[Errno {error.errno}] ")) from None


def _check(options: dict[str, Any]) -> None:
    account = options["account_id"]
    if not (len(account) == 12 and account.isascii() and account.isdigit()):
        raise click.BadParameter(f"{account!r} is not twelve digits", param_hint="--account-id")
    if options["plain_policy"] is not None and options["plain_mqtt_port"] is None:
        raise click.BadParameter("needs --plain-mqtt-port", param_hint="--plain-policy")


def _passphrase(file: Path | None) -> Secret | None:
    """What the operator gives. It is taken out of the environment, where processes that we start would find it.

    Raises FogbankError.
    """
    given = os.environ.pop(PASSPHRASE, None)
    if file is None:
        return None if given is None else Secret(given)
    if given is not None:
        raise click.BadParameter(f"{PASSPHRASE} is set as well; give one of them", param_hint="--ca-passphrase-file")
    from fogbank.registry.passphrase import read_passphrase

    return Secret(read_passphrase(file))


def _others(endpoints: Endpoints, host: str, port: int) -> Endpoints:
    """Without the instance itself: `fogbank env` sets AWS_ENDPOINT_URL to it, and it has none of these services."""
    if endpoints.default is None:
        return endpoints
    parts = urlsplit(endpoints.default)
    own = parts.port == port and parts.hostname in ("127.0.0.1", "localhost", "::1", host)
    return msgspec.structs.replace(endpoints, default=None) if own else endpoints


def _run(settings: Settings) -> None:
    import uvloop

    from fogbank.storage import heap
    from fogbank.storage.committer import SWITCH_INTERVAL

    heap.bound()
    sys.setswitchinterval(SWITCH_INTERVAL)
    raise_descriptor_limit()
    uvloop.run(_serve(settings))


def raise_descriptor_limit() -> None:
    """Take as many descriptors as the system lets us: each connection needs one, and 1024 are the usual beginning."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # where "unlimited" is more than the system knows
        pass


async def _serve(settings: Settings) -> None:
    from fogbank.app import Platform

    platform = Platform(settings)
    ending = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, ending.set)
    own_ready_file = settings.data_dir / READY_FILE
    try:
        ready = await platform.start()
        gc.collect()
        gc.freeze()  # what start-up made lives as long as the process: no collection need look at it again
        for path in {own_ready_file, settings.ready_file or own_ready_file}:
            _write_atomically(path, msgspec.json.encode(ready) + b"\n")
        if settings.plain_mqtt_port is not None and settings.plain_policy is None:
            click.echo("warning: plain MQTT clients are allowed everything; restrict them by --plain-policy", err=True)
        plain = "" if ready.plain_mqtt is None else f"  plain mqtt {ready.plain_mqtt.host}:{ready.plain_mqtt.port}"
        click.echo(
            f"fogbank is ready: api {ready.api}  mqtts {ready.mqtts.host}:{ready.mqtts.port}  "
            f"https {ready.https.host}:{ready.https.port}{plain}  region {ready.region}  data {ready.data_dir}"
        )
        await ending.wait()
    finally:
        own_ready_file.unlink(missing_ok=True)
        await platform.close()


def _write_atomically(path: Path, data: bytes) -> None:
    """Readable by the owner alone, for it holds the secret key; whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
