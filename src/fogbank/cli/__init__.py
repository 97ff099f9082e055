"""The `fogbank` command: one file per noun, each loaded only when it is asked for."""

import importlib

import click

COMMANDS = {
    "up": "fogbank.cli.up:up",
    "env": "fogbank.cli.env:env",
    "thing": "fogbank.cli.thing:thing",
    "ca": "fogbank.cli.ca:ca",
    "sql": "fogbank.cli.sql:sql",
    "rule": "fogbank.cli.rule:rule",
    "policy": "fogbank.cli.policy:policy",
    "trace": "fogbank.cli.trace:trace",
    "audit": "fogbank.cli.audit:audit",
    "demo": "fogbank.cli.demo:demo",
}
"""Names to the module and attribute that implement them."""


class LazyGroup(click.Group):
    """Imports a command's module when it is used: `fogbank sql` does not wait for the broker to load."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


def _version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked:
        from fogbank import __version__, native

        click.echo(f"fogbank {__version__}\nhot path: {native.status()}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
def main() -> None:
    """A serverless IoT platform of your own, compatible with AWS IoT Core and AWS Lambda.

    \b
    fogbank demo            see the whole of it at work, in under a minute
    fogbank up              start the platform
    eval $(fogbank env)     point boto3 and the AWS CLI at it
    fogbank thing create lamp --out certs/      make a device and its certificate
    fogbank ca register ca/factory.cert.pem     let devices in that your own CA has signed for
    fogbank sql eval "SELECT * FROM 'a' WHERE t > 50" --topic a --payload '{"t": 49}'
    fogbank rule test fever --topic room/1 --payload '{"t": 49}'
    fogbank policy simulate --policy lamp.json --thing lamp --publish device/lamp/state
    fogbank trace           follow what happens, and why
    """
