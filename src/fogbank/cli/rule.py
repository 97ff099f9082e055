"""`fogbank rule`: try the rules of a running instance."""

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fogbank.cli.which import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator


LONGEST = 2000
"""Characters of a request that are shown."""


@click.group()
def rule() -> None:
    """Try the rules of a running instance."""


@rule.command("test", short_help="What a rule would do with a message, without doing it.")
@click.argument("name")
@click.option("--topic", required=True, metavar="TOPIC", help="The topic that the message is published to.")
@click.option(
    "--payload", default="", metavar="JSON|@FILE", help="The payload, or a file that holds it. Default: empty."
)
@click.option("--client-id", metavar="ID", help="What clientid() says. Default: not by MQTT, n/a.")
@click.option("--principal", default="", metavar="ID", help="What principal() says.")
@click.option("--source-ip", metavar="IP", help="What sourceip() says.")
@click.option(
    "--mqtt",
    default="{}",
    metavar="JSON",
    help="MQTT 5 properties: contentType, userProperties ([[key, value], ...]), responseTopic, correlationData, ...",
)
@click.option(
    "--outside",
    default="{}",
    metavar="JSON|@FILE",
    help='What services answer, by the function that asks: {"aws_lambda": {"score": 1}}. Others are asked.',
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as it is, one JSON object.")
@DATA
def test(
    name: str,
    topic: str,
    payload: str,
    client_id: str | None,
    principal: str,
    source_ip: str | None,
    mqtt: str,
    outside: str,
    as_json: bool,
    data: Path | None,
) -> None:
    """Say what the rule NAME would do with a message: whether FROM and WHERE let it through, what SELECT makes of it,
    and what each action would do, with which right. Nothing is performed.

    \b
      fogbank rule test fever --topic room/attic --payload '{"celsius": 41}'
      fogbank rule test fever --topic room/attic --payload @message.json --json

    Shadows, registry, tables and secrets that the rule reads are read, with its roles; secrets may be shown. Functions
    are not invoked: say by --outside what aws_lambda answers. A rule that is disabled can be tried too.

    Exits 0 where the rule fires and no action is known to fail, else 1.
    """
    import msgspec

    from fogbank.cli.instance import Instance

    trial = {
        "topic": topic,
        "payloadBase64": base64.b64encode(_content("--payload", payload)).decode(),
        "clientId": client_id,
        "principal": principal,
        "sourceIp": source_ip,
        "mqtt": _json("--mqtt", mqtt.encode()),
        "outside": _json("--outside", _content("--outside", outside)),
    }
    answer = Instance.find(data).post(f"/_fogbank/rules/{name}/test", msgspec.json.encode(trial))
    report = msgspec.json.decode(answer)
    if as_json:
        click.echo(answer)
    else:
        for line in _lines(report, topic):
            click.echo(line)
    sys.exit(0 if report["fires"] and all(one["problem"] is None for one in report["actions"]) else 1)


def _lines(report: dict[str, Any], topic: str) -> "Iterator[str]":
    """The report for a person."""
    disabled = "" if report["enabled"] else click.style("  disabled: messages do not reach it", fg="yellow")
    yield f"rule      {report['rule']}{disabled}"
    if not report["matches"]:
        yield _said("FROM", False, report["why"])
        return
    filter_ = report["topicFilter"]
    yield _said("FROM", True, "Basic Ingest" if topic.startswith("$aws/rules/") else f"'{filter_}' matches {topic}")
    yield _said("fails" if report["failed"] else "WHERE", report["fires"], report["why"])
    if not report["fires"]:
        return
    yield f"SELECT    {_compact(report['output'])}"
    for one in report["actions"]:
        yield from _action(one)
    if not report["actions"]:
        yield "          the rule has no actions"


def _action(part: dict[str, Any]) -> "Iterator[str]":
    problem = part["problem"]
    yield _said(part["action"], problem is None, f"to {part['resource'] or part['target']}")
    if part["request"] is not None:
        yield f"          {click.style('would do', dim=True)}  {_compact(part['request'])}"
    if part["needs"] is not None:
        yield f"          {click.style('needs', dim=True)}     {part['needs']}, as {part['role']}"
    if problem is not None:
        yield f"          {click.style('but', dim=True)}       {click.style(_plain(problem), fg='red')}"


def _said(what: str, good: bool, text: str) -> str:
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    mark = ("✓" if good else "✗") if unicode else ("+" if good else "!")
    return f"{what:7} {click.style(mark, fg='green' if good else 'red')} {_plain(text)}"


def _compact(value: object) -> str:
    import msgspec

    text = _plain(msgspec.json.encode(value).decode())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _plain(text: str) -> str:
    from fogbank.cli.terminal import printable

    return printable(text)


def _json(option: str, text: bytes) -> object:
    import msgspec

    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"is no JSON object: {error}", param_hint=option) from None


def _content(option: str, argument: str) -> bytes:
    """The argument, or what the file holds that it names."""
    if not argument.startswith("@"):
        return argument.encode("utf-8", "surrogateescape")
    try:
        return Path(argument[1:]).read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{argument[1:]} cannot be read: {error.strerror}", param_hint=option) from None
