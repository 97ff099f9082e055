"""The command line: `python -m bench`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bench import brokers
from bench.affinity import Cores, given_cores, machine_cores
from bench.brokers import BrokerError
from bench.campaign import Plan, carry_out, contestants
from bench.driver import RunError
from bench.render import console, show
from bench.scenario import SCENARIOS, select

FOOTPRINT = "footprint"
NAMES = [*(scenario.name for scenario in SCENARIOS), FOOTPRINT]


def _check_names(given: Sequence[str], known: Sequence[str], option: str) -> None:
    for name in given:
        if not any(each.startswith(name) for each in known):
            raise click.BadParameter(f"'{name}' is none of {', '.join(known)}", param_hint=option)


def _cores(given: str | None) -> Cores:
    if given is None:
        return machine_cores()
    try:
        return given_cores(given)
    except ValueError as error:
        raise click.BadParameter(
            f"'{given}': two numbers of cores are wanted, such as 1,0 ({error})", param_hint="--cores"
        ) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, metavar="NAME", help=f"Only these; beginnings will do: {', '.join(NAMES)}.")
@click.option("--seconds", default=2.5, show_default=True, type=click.FloatRange(0.1, 600), help="Length of each run.")
@click.option("--warm-up", default=0.5, show_default=True, type=click.FloatRange(0, 60), help="Seconds before it.")
@click.option("--repeat", default=3, show_default=True, type=click.IntRange(1), help="Runs per scenario and broker.")
@click.option("--window", type=click.IntRange(1, 32767), help="Messages unacknowledged per saturating QoS 1 publisher.")
@click.option(
    "--brokers",
    "names",
    default="fogbank,mosquitto",
    show_default=True,
    help="Who takes part; 'reflector' is the least a broker can do and shows what the generator can drive.",
)
@click.option("--cores", metavar="B,G", help="Broker's and generator's core, where the last two are busy otherwise.")
@click.option("--broker-cmd", metavar="COMMAND", help="What stands for 'fogbank up', for instance under a profiler.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures here, too."
)
def main(
    only: tuple[str, ...],
    seconds: float,
    warm_up: float,
    repeat: int,
    window: int | None,
    names: str,
    cores: str | None,
    broker_cmd: str | None,
    json_file: Path | None,
) -> None:
    """Fogbank and Mosquitto side by side, driven by the same generator.

    The exit status is 0 whatever the ratios are, and 1 where a run failed or lost QoS 1 messages.
    """
    wanted = names.split(",")
    _check_names(only, NAMES, "--only")
    _check_names(wanted, brokers.NAMES, "--brokers")
    plan = Plan(
        scenarios=select(only, window),
        with_footprint="fogbank" in wanted and (not only or any(FOOTPRINT.startswith(name) for name in only)),
        contestants=contestants(wanted),
        command=shlex.split(broker_cmd) if broker_cmd else brokers.default_command(),
        seconds=seconds,
        warm_up=warm_up,
        repeat=repeat,
        cores=_cores(cores),
    )
    try:
        report = carry_out(plan)
    except (BrokerError, RunError) as error:
        raise click.ClickException(str(error)) from error
    show(report, console())
    if json_file is not None:
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main(prog_name="python -m bench")
