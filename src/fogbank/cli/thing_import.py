"""`fogbank thing import`: a whole fleet from a file, by a template."""

import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import click

from fogbank.cli.api_errors import api_errors
from fogbank.cli.instance import TIMEOUT, Instance
from fogbank.cli.terminal import printable
from fogbank.cli.which import DATA

UPLOAD_PATH = "/_fogbank/registrations"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
LOOK = 0.5
"""Seconds between two looks at the progress."""
DONE = ("Completed", "Failed", "Cancelled")
SHOWN = 20
"""Errors that are printed; the report has all."""


@click.command("import")
@click.argument("file", type=FILE)
@click.option("--template", type=FILE, required=True, help="The provisioning template: what becomes of each line.")
@click.option("--role", metavar="ARN", help="The role that registers.  [default: none, for the root alone]")
@DATA
def import_(file: Path, template: Path, role: str | None, data: Path | None) -> None:
    """Register a thing for each line of FILE, a JSON object with the parameters of the template.

    \b
      fogbank thing import lamps.ndjson --template lamp.json

    It goes on in the instance, wherever this command ends: Ctrl-C only ends the watching. Exits 0 where every line
    became a thing, else 1.
    """
    import msgspec

    instance = Instance.find(data)
    iot = instance.client("iot")
    with api_errors(f"import {file}"):
        order = {"templateBody": template.read_text(), **({} if role is None else {"roleArn": role})}
        body = msgspec.json.encode(order) + b"\n" + file.read_bytes()
        task = msgspec.json.decode(instance.post(UPLOAD_PATH, body, "application/x-ndjson"))["taskId"]
        click.echo(f"task     {task}")
        ended = _watch(iot, task)
        for line in _errors(iot, task) if ended["failureCount"] else ():
            click.echo(printable(line), err=True)
    click.echo(f"{ended['status'].lower():8} {ended['successCount']} registered, {ended['failureCount']} failed")
    if ended.get("message"):
        click.echo(printable(ended["message"]), err=True)
    sys.exit(0 if ended["status"] == "Completed" and not ended["failureCount"] else 1)


def _watch(iot: Any, task: str) -> dict[str, Any]:
    """Say how far it is, on one line of a terminal or one for each tenth; how it ended."""
    live, told = sys.stdout.isatty(), -1
    while True:
        found: dict[str, Any] = iot.describe_thing_registration_task(taskId=task)
        percent = found["percentageProgress"]
        if live or percent // 10 != told:
            told = percent // 10
            line = f"{percent:3} %    {found['successCount']} registered, {found['failureCount']} failed"
            click.echo(f"\r{line}" if live else line, nl=not live)
        if found["status"] in DONE:
            if live:
                click.echo()
            return found
        time.sleep(LOOK)


def _errors(iot: Any, task: str) -> list[str]:
    """The first lines of the report on what failed."""
    links = iot.list_thing_registration_task_reports(taskId=task, reportType="ERRORS")["resourceLinks"]
    lines: list[str] = []
    for link in links:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(link, timeout=TIMEOUT) as answer:
            lines += answer.read().decode().splitlines()
        if len(lines) > SHOWN:
            break
    more = [] if len(lines) <= SHOWN else [f"... and more: {links[0]}"]
    return lines[:SHOWN] + more
