"""The option by which commands say which instance they are about."""

from pathlib import Path

import click

DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data directory of the instance.  [default: what AWS_ENDPOINT_URL names, else $FOGBANK_DATA, "
    "else ~/.local/share/fogbank]",
)
