"""`fogbank policy`: what IoT policies allow and why, before a device finds out."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from fogbank.cli.simulation import Answer, Principal

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Ask IoT policies what they allow, and why."""


@policy.command()
@click.option("--policy", "policies", type=FILE, multiple=True, help="A policy document. May be given several times.")
@click.option("--connect", multiple=True, metavar="CLIENT_ID", help="May it connect with this client ID?")
@click.option("--publish", multiple=True, metavar="TOPIC", help="May it publish to the topic?")
@click.option("--subscribe", multiple=True, metavar="FILTER", help="May it subscribe to the topic filter?")
@click.option("--receive", multiple=True, metavar="TOPIC", help="May it be sent messages on the topic?")
@click.option("--action", metavar="ACTION", help="Any other action, as iot:GetThingShadow, on each --resource.")
@click.option(
    "--resource",
    multiple=True,
    metavar="ARN|KIND/NAME",
    help="An ARN, or client/..., topic/..., topicfilter/..., thing/..., completed by region and account.",
)
@click.option("--client-id", metavar="ID", help="Who asks.  [default: that of --connect, else the thing's name]")
@click.option(
    "--thing",
    metavar="NAME",
    help="The thing that is attached to the certificate: it counts where the client ID is its name.",
)
@click.option("--exclusive", is_flag=True, help="The thing is attached exclusively: it counts whatever the client ID.")
@click.option("--thing-type", metavar="TYPE", help="The thing's type.")
@click.option("--attribute", multiple=True, metavar="KEY=VALUE", help="An attribute of the thing.")
@click.option(
    "--group-policy", type=FILE, multiple=True, help="The policy document of a group that the thing is in, or inherits."
)
@click.option("--no-thing", is_flag=True, help="No thing is attached. Without --principal that goes without saying.")
@click.option(
    "--certificate", type=FILE, metavar="FILE.pem", help="The certificate, for the variables that come from it."
)
@click.option("--source-ip", metavar="IP", help="The address it comes from, for aws:SourceIp.")
@click.option("--domain-name", metavar="NAME", help="The server name that it asks for in TLS, for iot:DomainName.")
@click.option("--persistent", is_flag=True, help="It connects with a persistent session.")
@click.option(
    "--will-topic", metavar="TOPIC", help="It connects with a last will on the topic, and must be allowed to."
)
@click.option("--retain", is_flag=True, help="What it publishes, and its will, is to be retained.")
@click.option(
    "--context", multiple=True, metavar="KEY=VALUE", help="Any other condition key; several values by several of these."
)
@click.option(
    "--region",
    envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
    default="us-east-1",
    show_default=True,
    show_envvar=True,
    help="For ARNs.",
)
@click.option("--account-id", default="123456789012", show_default=True, metavar="ID", help="For ARNs.")
@click.option(
    "--principal",
    metavar="CERTIFICATE",
    help="A certificate of the running instance, by ID or ARN: its policies (and those of --policy besides) and thing.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --principal: the data directory of the instance.  [default: what AWS_ENDPOINT_URL names, else "
    "$FOGBANK_DATA, else ~/.local/share/fogbank]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object per decision.")
def simulate(**given: object) -> None:
    """Decide as the broker would, and explain: which statement allows or denies, or which one is missing.

    The documents come from files, for which no server is needed, or with --principal from the certificate of a device
    that exists. Below each decision stand the values of the variables that its statements look at.

    \b
      fogbank policy simulate --policy lamp.json --thing lamp --connect lamp --publish device/lamp/state
      fogbank policy simulate --policy lamp.json --client-id intruder --publish device/lamp/state
      fogbank policy simulate --policy lamp.json --thing lamp --action iot:GetThingShadow --resource thing/lamp
      fogbank policy simulate --principal 5d4e...a1 --subscribe 'device/#' --json

    Exits 0 where all is allowed, 1 where something is denied, 2 where no decision was possible: a malformed policy, a
    file or an instance that is not there, wrong usage.
    """
    from fogbank.cli import simulation_options
    from fogbank.cli.simulation import Simulation
    from fogbank.policy import MalformedPolicy

    options = simulation_options.Options(**given)  # type: ignore[arg-type]  # click has converted them
    try:
        simulation_options.check_text(options)
        principal = simulation_options.principal_of(options)
        questions = [*simulation_options.questions_of(options, principal)]
        simulation = Simulation(
            principal,
            simulation_options.source_ip_of(options),
            options.domain_name,
            simulation_options.context_of(options),
        )
        for warning in (*_warnings(principal), *filter(None, (question.warning for question in questions))):
            click.echo(f"note: {warning}", err=True)
        answers = [simulation.answer(question) for question in questions]
    except MalformedPolicy as error:
        _fail(str(error))
    except click.UsageError:
        raise
    except click.ClickException as error:  # 1, as these exit by themselves, means denied
        _fail(error.format_message())
    for answer in answers:
        _show(answer, as_json=options.as_json)
    sys.exit(0 if all(answer.decision.allowed for answer in answers) else 1)


def _warnings(principal: "Principal") -> Iterator[str]:
    """What is right by the letter and hardly meant."""
    from fogbank.policy.document import VERSION_WITH_VARIABLES, parse_document

    if principal.identity is not None and principal.identity.reason:
        yield f"{principal.identity.reason}: it cannot connect, whatever its policies allow"
    for one in principal.policies:
        if "${" in one.document and parse_document(one.document).version != VERSION_WITH_VARIABLES:
            yield f'policy {one.name!r} lacks "Version": "{VERSION_WITH_VARIABLES}": its ${{...}} are plain text'


def _show(answer: "Answer", *, as_json: bool) -> None:
    import msgspec

    from fogbank.cli.terminal import printable

    if as_json:
        click.echo(msgspec.json.encode(answer.document()))
        return
    allowed = answer.decision.allowed
    verdict = click.style("ALLOWED" if allowed else "DENIED ", fg="green" if allowed else "red", bold=True)
    click.echo(f"{verdict} {printable(answer.decision.reason)}")
    for value in answer.variables:
        click.echo(f"        {printable(str(value))}")


def _fail(message: str) -> NoReturn:
    click.echo(f"Error: {message}", err=True)
    sys.exit(2)
