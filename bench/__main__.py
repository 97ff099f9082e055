"""The command line: `python -m bench`."""

import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from bench import brokers
from bench.affinity import Cores, given_cores, machine_cores
from bench.campaign import TRIALS, Plan, carry_out
from bench.driver import RunError
from bench.fogbank import default_command
from bench.process import BrokerError, allow_many_files
from bench.render import console, show
from bench.scenario import SCENARIOS, select

NAMES = [*(scenario.name for scenario in SCENARIOS), *TRIALS]


class Extent(msgspec.Struct, frozen=True):
    """How thorough a benchmark is, where no option says otherwise."""

    seconds: float
    warm_up: float
    repeat: int
    connections: int
    count: int


FULL = Extent(seconds=2.0, warm_up=0.5, repeat=3, connections=2000, count=20_000)
QUICK = Extent(seconds=0.3, warm_up=0.1, repeat=1, connections=100, count=2000)
"""Whether it all works, not how fast."""


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
            f"'{given}': numbers of cores are wanted, such as 1,0 ({error})", param_hint="--cores"
        ) from error


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, metavar="NAME", help=f"Only these; beginnings will do: {', '.join(NAMES)}.")
@click.option("--quick", is_flag=True, help="Everything for an instant: whether it works, not how fast it is.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), help=f"Length of each run.  [default: {FULL.seconds}]")
@click.option("--warm-up", type=click.FloatRange(0, 60), help=f"Seconds before it.  [default: {FULL.warm_up}]")
@click.option("--repeat", type=click.IntRange(1), help=f"Runs per scenario and broker.  [default: {FULL.repeat}]")
@click.option("--window", type=click.IntRange(1, 32767), help="Messages unacknowledged per saturating QoS 1 publisher.")
@click.option(
    "--brokers",
    "names",
    default="fogbank,mosquitto,nats",
    show_default=True,
    help="Who takes part; 'reflector' is the least a broker can do and shows what the generator can drive.",
)
@click.option(
    "--cores", metavar="B,G", help="Brokers' core (or cores: B,B,G) and the generator's, instead of the last two."
)
@click.option("--broker-cmd", metavar="COMMAND", help="What stands for 'fogbank up', for instance under a profiler.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write all figures here, too."
)
def main(
    only: tuple[str, ...],
    quick: bool,
    seconds: float | None,
    warm_up: float | None,
    repeat: int | None,
    window: int | None,
    names: str,
    cores: str | None,
    broker_cmd: str | None,
    json_file: Path | None,
) -> None:
    """Fogbank, Mosquitto and NATS side by side, driven by the same generator.

    The exit status is 0 whatever the ratios are, and 1 where a run failed or lost QoS 1 messages.
    """
    wanted = names.split(",")
    _check_names(only, NAMES, "--only")
    _check_names(wanted, brokers.NAMES, "--brokers")
    extent = QUICK if quick else FULL
    plan = Plan(
        scenarios=select(only, window),
        trials=[trial for trial in TRIALS if not only or trial.startswith(only)],
        contestants=wanted,
        command=shlex.split(broker_cmd) if broker_cmd else default_command(),
        seconds=extent.seconds if seconds is None else seconds,
        warm_up=extent.warm_up if warm_up is None else warm_up,
        repeat=repeat or extent.repeat,
        connections=extent.connections,
        count=extent.count,
        cores=_cores(cores),
    )
    allow_many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # or the brokers would outlive us
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
