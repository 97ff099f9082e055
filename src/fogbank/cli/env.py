"""`fogbank env`: what points boto3, the AWS CLI and every other AWS SDK at the instance that runs."""

import shlex
from collections.abc import Callable
from pathlib import Path

import click

from fogbank.cli.data_dir import find_running


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str) -> str:
    doubled = value.replace("'", "''")
    return f"$Env:{name} = '{doubled}'"


SHELLS: dict[str, Callable[[str, str], str]] = {"sh": _sh, "fish": _fish, "powershell": _powershell}
"""How each shell sets a variable for the programs it starts."""


@click.command(short_help="Point boto3 and the AWS CLI at the instance.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data directory of the instance.  [default: $FOGBANK_DATA, else ~/.local/share/fogbank]",
)
@click.option("--shell", type=click.Choice(list(SHELLS)), default="sh", show_default=True, help="Whose syntax to use.")
def env(data: Path | None, shell: str) -> None:
    """Print what points boto3 and the AWS CLI at the running instance: its address, keys and region.

    \b
      eval "$(fogbank env)"                                       sh, bash, zsh
      fogbank env --shell fish | source                           fish
      fogbank env --shell powershell | Out-String | Invoke-Expression

    The lines hold the secret key: mind where they end up.
    """
    running = find_running(data)
    line = SHELLS[shell]
    for name, value in (
        ("AWS_ENDPOINT_URL", running.api),
        ("AWS_ACCESS_KEY_ID", running.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", running.secret_access_key),
        ("AWS_REGION", running.region),
        ("AWS_DEFAULT_REGION", running.region),
    ):
        click.echo(line(name, value))
