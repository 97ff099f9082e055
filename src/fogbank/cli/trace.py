"""`fogbank trace`: follow what a running instance does, and why, as it happens."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fogbank.cli.which import DATA

if TYPE_CHECKING:
    from fogbank.cli.trace_stream import Traced

KINDS = (
    "authorizer",
    "connect",
    "publish",
    "subscribe",
    "receive",
    "disconnect",
    "rule",
    "action",
    "shadow",
    "function",
    "provisioning",
    "credentials",
    "job",
)
STATUSES = ("success", "denied", "skipped", "failure")
MARKS = {"success": ("✓", "+", "green"), "skipped": ("-", "-", "yellow"), "": ("✗", "!", "red")}
"""Status: its mark, the mark where that cannot be shown, and its colour; "" for all others, which are bad."""

Wanted = Callable[["Traced"], bool]


@click.command(short_help="Follow what happens, and why, as it happens.")
@click.option("--kind", type=click.Choice(KINDS), multiple=True, help="Only events of this kind.")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Only events that came out like this.")
@click.option("--client", multiple=True, metavar="ID", help="Only events of this client ID.")
@click.option(
    "--topic",
    multiple=True,
    metavar="FILTER",
    help="Only events on topics that the MQTT topic filter matches ('#' does not match $aws/...).",
)
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N events. Default: go on.")
@click.option("--logs", is_flag=True, help="Show what functions print, too, on lines of its own.")
@click.option("--json", "as_json", is_flag=True, help="Print the events as they are, a JSON object per line.")
@DATA
def trace(
    kind: tuple[str, ...],
    status: tuple[str, ...],
    client: tuple[str, ...],
    topic: tuple[str, ...],
    count: int | None,
    logs: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Follow the running instance: a line for each message, connection, rule, action, shadow and function.

    \b
      fogbank trace                                     everything, until Ctrl-C
      fogbank trace --status denied --status failure    what goes wrong, and why
      fogbank trace --client lamp --topic 'device/+/state'
      fogbank trace --kind function --logs              what functions print
      fogbank trace --kind rule --count 1 --json        wait for one rule, for a script

    A line has the time, the kind, a mark (✓ done, ✗ denied or failed, - skipped), whom or what it is about, the reason
    and the duration. Filters of one kind widen one another, of different kinds narrow. Nothing from before is shown:
    what nobody listens to is not kept.

    Exits 0 after --count events and on Ctrl-C, 1 where the instance ends or cannot be reached. A reader that is too
    slow loses events; how many is said on stderr.
    """
    wanted = _wanted(kind, status, client, topic)
    line = _raw if as_json else _readable(logs)
    try:
        _follow(data, wanted, line, count)
    except KeyboardInterrupt:
        sys.exit(0)


def _follow(data: Path | None, wanted: Wanted, line: Callable[["Traced", bytes], str], count: int | None) -> None:
    import msgspec

    from fogbank.cli.instance import Instance
    from fogbank.cli.trace_stream import NoTrace, TraceClient, Traced

    instance = Instance.find(data)
    decode = msgspec.json.Decoder(Traced).decode
    colour = False if os.environ.get("NO_COLOR") else None  # https://no-color.org; None: where a terminal shows it
    shown = 0
    try:
        stream = TraceClient(instance.url, instance.keys())
    except NoTrace as error:
        raise click.ClickException(str(error)) from None
    with stream:
        click.echo(f"listening to {instance.url}, Ctrl-C ends", err=True)
        for raw in stream:
            event = decode(raw)
            if event.dropped:
                click.echo(f"... {event.reason}", err=True)
            elif wanted(event):
                click.echo(line(event, raw), color=colour)
                shown += 1
                if shown == count:
                    return
    raise click.ClickException(f"the trace has ended: the Fogbank at {instance.url} is gone")


def _wanted(
    kinds: tuple[str, ...], statuses: tuple[str, ...], clients: tuple[str, ...], filters: tuple[str, ...]
) -> Wanted:
    """Raises UsageError where a filter is none."""
    from fogbank.topics import InvalidTopic, check_filter, matches

    for one in filters:
        try:
            check_filter(one)
        except InvalidTopic as error:
            raise click.BadParameter(str(error), param_hint="--topic") from None
    return lambda event: (
        (not kinds or event.kind in kinds)
        and (not statuses or event.status in statuses)
        and (not clients or event.client_id in clients)
        and (not filters or (event.topic != "" and any(matches(one, event.topic) for one in filters)))
    )


def _raw(_: "Traced", raw: bytes) -> str:
    return raw.decode()


def _readable(logs: bool) -> Callable[["Traced", bytes], str]:
    from fogbank.cli.terminal import printable

    unicode = (sys.stdout.encoding or "").lower().startswith("utf")

    def line(event: "Traced", _: bytes) -> str:
        good = event.status == "success"
        mark, plain, colour = MARKS.get(event.status, MARKS[""])
        who = event.client_id or event.principal
        about = [*([] if good else [event.status]), *filter(None, (event.name, who, event.topic, *_details(event)))]
        text = printable("  ".join(about))
        if event.reason:
            text += click.style(": " + printable(event.reason), fg=None if good else colour)
        if event.duration_ms is not None:
            text += click.style(f"  {event.duration_ms:.1f} ms", dim=True)
        moment = click.style(datetime.fromtimestamp(event.time).strftime("%H:%M:%S.%f")[:-3], dim=True)
        first = f"{moment}  {event.kind:10}  {click.style(mark if unicode else plain, fg=colour)} {text}"
        return "\n".join([first, *(f"{' ' * 26}| {printable(one)}" for one in event.printed if logs)])

    return line


def _details(event: "Traced") -> list[str]:
    """What of an event's own members says something in a line: how many messages it stands for, an action's target."""
    detail: dict[str, Any] = event.detail or {}
    messages, target = detail.get("messages"), detail.get("target")
    return [*([f"{messages} messages"] if messages else []), *([f"to {target}"] if target else [])]
