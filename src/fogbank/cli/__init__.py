"""The `fogbank` command: one file per noun."""

import click


@click.group()
def main() -> None:
    """Fogbank: a serverless IoT platform of your own, compatible with AWS IoT Core and AWS Lambda."""
