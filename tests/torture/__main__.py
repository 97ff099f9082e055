"""The long run: `python -m tests.torture`."""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tests.torture import shadows as shadow_floods
from tests.torture.campaign import Campaign, Habits, Tally
from tests.torture.rule import Rule
from tests.torture.sink import Sink
from tests.torture.victims import Broker, Fogbank, Mosquitto, mosquitto_path

SHOWN = 10
"""Findings that are printed whole."""


@click.command()
@click.option("--kills", default=200, show_default=True, type=click.IntRange(1), help="In all, over all limits.")
@click.option("--limits", "all_limits", multiple=True, default=("open", "aws"), show_default=True, help="Repeatable.")
@click.option("--seed", help="Of all choices; the instants depend on the machine as well.  [default: a new one]")
@click.option("--rules", is_flag=True, help="With a rule that sends all messages to a queue outside of the broker.")
@click.option("--shadows", is_flag=True, help="A flood of shadow updates in place of messages.")
@click.option("--broker", type=click.Choice(["fogbank", "mosquitto"]), default="fogbank", show_default=True)
def main(kills: int, all_limits: tuple[str, ...], seed: str | None, rules: bool, shadows: bool, broker: str) -> None:
    """Kill a broker under load, again and again, and count what it has forgotten.

    Exit status 0 means that nothing was lost, and nothing else was wrong. What was
    is printed with its timeline, and the data directory is kept.
    """
    if rules and broker != "fogbank":
        raise click.UsageError("--rules is for --broker fogbank")
    if shadows and (rules or broker != "fogbank"):
        raise click.UsageError("--shadows is for --broker fogbank, and goes without --rules")
    seed = seed or secrets.token_hex(4)
    console = Console(highlight=False)
    console.print(f"seed {seed}", markup=False)
    runs = ("open",) if broker == "mosquitto" else all_limits
    failed = False
    for index, limits in enumerate(runs):
        share = kills // len(runs) + (index < kills % len(runs))
        directory = Path(tempfile.mkdtemp(prefix="fogbank-torture-"))
        if shadows:
            failed |= _flood(directory, limits, f"{seed}/{limits}", share, console)
            continue
        with Sink() as sink:
            victim = _broker(broker, directory, limits, sink)
            rule = Rule(victim, sink) if rules and isinstance(victim, Fogbank) else None
            campaign = Campaign(victim, f"{seed}/{limits}", Habits(qos2=limits == "open"), rule)
            tally = _torture(campaign, limits, share, console)
        _tell(tally, limits, console)
        if tally.findings:
            failed = True
            console.print(f"the directory is kept: {directory}", markup=False)
        else:
            shutil.rmtree(directory)
    sys.exit(failed)


def _flood(directory: Path, limits: str, seed: str, kills: int, console: Console) -> bool:
    """Whether something was wrong."""

    def progress(tally: shadow_floods.Tally) -> None:
        if tally.kills % 10 == 0:
            console.print(f"{limits}: {tally}", markup=False)

    tally = asyncio.run(shadow_floods.Flood(Fogbank(directory, limits), seed).run(kills, progress))
    for finding in tally.findings[:SHOWN]:
        console.print(str(finding), markup=False, soft_wrap=True)
    console.print(f"--limits {limits}: {tally}", markup=False)
    if tally.findings:
        console.print(f"the directory is kept: {directory}", markup=False)
    else:
        shutil.rmtree(directory)
    return bool(tally.findings)


def _broker(name: str, directory: Path, limits: str, sink: Sink) -> Broker:
    if name == "fogbank":
        return Fogbank(directory, limits, sink.environment)
    executable = mosquitto_path()
    if executable is None:
        raise click.ClickException("Mosquitto is not installed")
    return Mosquitto(directory, executable)


def _torture(campaign: Campaign, limits: str, kills: int, console: Console) -> Tally:
    """With a bar on a terminal, else with a line now and then."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(limits, total=kills)

        def progress(tally: Tally) -> None:
            bar.update(task, completed=tally.kills, description=f"{limits}: {tally}")
            if not console.is_terminal and tally.kills % 10 == 0:
                console.print(f"{limits}: {tally}", markup=False)

        return asyncio.run(campaign.run(kills, progress))


def _tell(tally: Tally, limits: str, console: Console) -> None:
    for finding in tally.findings[:SHOWN]:
        console.print(str(finding), markup=False, soft_wrap=True)
    if len(tally.findings) > SHOWN:
        console.print(f"... and {len(tally.findings) - SHOWN} more", markup=False)
    for fault, count in Counter(finding.fault.value for finding in tally.findings).most_common():
        console.print(f"{count:6} x {fault}", markup=False)
    console.print(
        f"--limits {limits}: {tally} ({tally.seconds:.0f} s; {tally.retained} retained messages, "
        f"{tally.deliveries} deliveries)",
        markup=False,
        soft_wrap=True,
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.torture")
