"""`fogbank sql`: try statements of the rules engine without a server."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from fogbank.sql import CannedAnswers, Event, Known, MqttProperties, Statement, Version

_VERSION = "2016-03-23"

_LONGEST = 200
"""Characters of a payload that are shown."""


@click.group()
def sql() -> None:
    """Try AWS IoT SQL statements: no server needed."""


@sql.command("eval")
@click.argument("statement", metavar="SQL")
@click.option("--topic", required=True, metavar="TOPIC", help="The topic that the message is published to.")
@click.option(
    "--payload", default="", metavar="JSON|@FILE", help="The payload, or a file that holds it. Default: empty."
)
@click.option("--sql-version", default=_VERSION, show_default=True, metavar="VERSION", help="The awsIotSqlVersion.")
@click.option(
    "--mqtt",
    default="{}",
    metavar="JSON",
    help="MQTT 5 properties: contentType, userProperties ([[key, value], ...]), responseTopic, correlationData, ...",
)
@click.option("--client-id", metavar="ID", help="What clientid() says. Default: not by MQTT, n/a.")
@click.option("--principal", default="", metavar="ID", help="What principal() says.")
@click.option("--account-id", default="123456789012", show_default=True, metavar="ID", help="What accountid() says.")
@click.option("--source-ip", metavar="IP", help="What sourceip() says.")
@click.option("--timestamp", type=int, metavar="MS", help="What timestamp() says. Default: now.")
@click.option(
    "--outside",
    default="{}",
    metavar="JSON|@FILE",
    help='What services answer, by the function that asks: {"get_thing_shadow": {"state": ...}}. Others fail.',
)
def eval_(
    statement: str,
    topic: str,
    payload: str,
    sql_version: str,
    mqtt: str,
    client_id: str | None,
    principal: str,
    account_id: str,
    source_ip: str | None,
    timestamp: int | None,
    outside: str,
) -> None:
    """Evaluate SQL for one message and print one line of JSON: whether it fires, what actions get, and why.

    \b
    fogbank sql eval "SELECT * FROM 'room/+' WHERE temperature > 50" --topic room/1 --payload '{"temperature": 49}'
    {"fires":false,"why":"temperature > 50 was not true: temperature is 49"}

    Functions that ask other services get what --outside says: the body that the service would send (the shadow, the
    function's result, GetItem's or GetSecretValue's answer; for decode(.., 'proto', ..) the descriptors in base64).

    `output` is left out where it is undefined; where it is not text, `output_base64` stands in its place. An error in
    the statement is printed with its line and column, and the exit code is 2.
    """
    from fogbank.sql import Event, SqlError, compile_statement, parse
    from fogbank.sql.cases import try_out

    try:
        query = compile_statement(parse(statement, sql_version))
    except SqlError as error:
        _fail(str(error))
    event = Event(
        topic=topic,
        payload=_content("--payload", payload),
        client_id=client_id,
        principal=principal,
        timestamp_ms=int(time.time() * 1000) if timestamp is None else timestamp,
        account_id=account_id,
        source_ip=source_ip,
        mqtt=_mqtt(mqtt),
    )
    explanation, outcome = try_out(query, event, _known(outside, query.version))
    click.echo(_line(outcome.fires, outcome.output, explanation.sentence))


@sql.command("test")
@click.argument("cases", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="CASES.json")
def test(cases: Path) -> None:
    """Run the cases in CASES.json, print those that fail, and exit 0 only where all pass.

    The file is an array of objects: sql, topic, payload (or payload_raw, payload_base64: exact text or bytes), version,
    mqtt, client_id, principal, account_id, source_ip, timestamp, outside (as the options of eval), fires (default
    true), expected (or expected_raw, expected_base64). A case of the kind "substitution-template" has a template
    besides, and expects a string. Values are compared, not spelling, but for the exact ones; decimals to 14 digits, or
    with "approximate": true to the places that the expected one has.

    \b
    [{"sql": "SELECT upper(color) AS c FROM 'a/b'", "topic": "a/b",
      "payload": {"color": "red"}, "expected": {"c": "RED"}}]
    """
    import msgspec

    from fogbank.sql.cases import read_cases, run_case

    try:
        listed = read_cases(cases.read_bytes())
    except msgspec.DecodeError as error:
        _fail(f"{cases} holds no list of cases: {error}")
    failed = 0
    for number, case in enumerate(listed, 1):
        verdict = run_case(case, _render)
        if not verdict.passed:
            failed += 1
            click.echo(f"case {number}: {case.template or case.sql}")
            click.echo(f"  message:  {case.topic} {_shown(case.event().payload)}")
            click.echo(f"  expected: {verdict.expected}")
            click.echo(f"  actual:   {verdict.actual}")
            if verdict.difference:
                click.echo(f"  where:    {verdict.difference}")
    click.echo(f"{len(listed) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


def _render(text: str, statement: "Statement", event: "Event", known: "Known") -> str:
    from fogbank.rules.templates import Template

    return Template(text, statement, "template").render(event, known)


def _shown(payload: bytes) -> str:
    """The payload on one line, cut where it is long."""
    text = " ".join(payload.decode(errors="replace").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _content(option: str, argument: str) -> bytes:
    """The argument, or what the file holds that it names."""
    if not argument.startswith("@"):
        return argument.encode("utf-8", "surrogateescape")
    try:
        return Path(argument[1:]).read_bytes()
    except OSError as error:
        _fail(f"{option}: {argument[1:]} cannot be read: {error.strerror}")


def _known(argument: str, version: "Version") -> "CannedAnswers":
    import msgspec

    from fogbank.sql.cases import canned

    try:
        answers = msgspec.json.decode(_content("--outside", argument), type=dict[str, msgspec.Raw])
        return canned(answers, version)
    except ValueError as error:
        _fail(f"--outside is not what services could answer: {error}")


def _mqtt(argument: str) -> "MqttProperties":
    import msgspec

    from fogbank.sql import MqttProperties

    try:
        return msgspec.json.decode(argument, type=MqttProperties)
    except msgspec.DecodeError as error:
        _fail(f"--mqtt is not what MQTT properties look like: {error}")


def _line(fires: bool, output: bytes | None, why: str) -> str:
    """The answer as one line. Output that is JSON stands in it as it is, other text as a string."""
    import base64

    import msgspec

    from fogbank.sql import UNDEFINED, Version
    from fogbank.sql.values import from_json

    answer: dict[str, object] = {"fires": fires}
    if output is not None and from_json(output, Version.V2015_10_08) is not UNDEFINED:
        answer["output"] = msgspec.Raw(output.replace(b"\r", b"").replace(b"\n", b""))
    elif output is not None:
        try:
            answer["output"] = output.decode()
        except UnicodeDecodeError:
            answer["output_base64"] = base64.b64encode(output).decode()
    return msgspec.json.encode({**answer, "why": why}).decode()


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(2)
