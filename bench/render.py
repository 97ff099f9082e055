"""The report as a person reads it: two tables and, below them, whatever needs saying."""

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.footprint import RSS_AIM, START_UP_AIM, Footprint
from bench.report import GENERATOR_BOUND, IDLE, OURS, Report, Result, Standing

PLAIN_WIDTH = 160
"""Columns where the output is no terminal and has no width of its own."""

FIGURES = ("msg/s", "min - max", "ratio", "aim", "", "CPU us/msg", "CPU ratio", "broker", "generator", "dropped")


def console() -> Console:
    """Coloured on a terminal, plain ASCII without wrapping anywhere else."""
    probe = Console(highlight=False)
    return probe if probe.is_terminal else Console(highlight=False, width=PLAIN_WIDTH, no_color=True)


def show(report: Report, out: Console) -> None:
    """Print the whole report."""
    out.print()
    if report.results:
        out.print(_throughput(report, out))
    if report.footprint is not None:
        out.print(_footprint(report.footprint, out))
    for note in _notes(report):
        out.print(note, markup=False)


def _table(out: Console, title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAVY if out.is_terminal else box.ASCII)


def _throughput(report: Report, out: Console) -> Table:
    title = f"Delivered messages per second: median of {report.repeat} runs of {report.seconds:g} s"
    table = _table(out, title)
    for heading in ("scenario", "broker"):
        table.add_column(heading, no_wrap=True)
    for heading in (
        "msg/s",
        "min - max",
        "ratio",
        "aim",
        "",
        "CPU us/msg",
        "CPU ratio",
        "broker",
        "generator",
        "dropped",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in report.results:
        for standing in result.standings:
            table.add_row(*_row(result, standing))
        table.add_section()
    return table


def _row(result: Result, standing: Standing) -> list[str | Text]:
    first = standing is result.standings[0]
    ours = standing.broker == OURS
    head = [result.scenario.title if first else "", standing.broker]
    if standing.rate is None:
        return [*head, "failed"]
    rate = standing.rate
    comparison: list[str | Text] = ["", "", ""]
    if ours:
        comparison = [_times(result.ratio), f">= {result.scenario.aim:g}x", _verdict(result.met)]
    return [
        *head,
        "INVALID" if standing.failures else f"{rate.median:,.0f}",
        f"{rate.low / 1000:,.0f} - {rate.high / 1000:,.0f} k",
        *comparison,
        f"{standing.cpu or 0:.2f}",
        _times(result.cpu_ratio) if ours else "",
        f"{standing.broker_share or 0:.0%}",
        f"{standing.generator_share or 0:.0%}",
        _dropped(standing.missing_share or 0.0),
    ]


def _dropped(share: float) -> str:
    """Nothing is nothing; a little is not."""
    if share == 0:
        return "0"
    return "< 0.1%" if share < 0.001 else f"{share:.1%}"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1f}x"


def _verdict(met: bool | None) -> Text:
    if met is None:
        return Text("-")
    return Text("met", style="green") if met else Text("short", style="bold red")


def _footprint(footprint: Footprint, out: Console) -> Table:
    table = _table(out, "Fogbank before it does anything: medians")
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("aim", justify="right")
    table.add_column("")
    start, rss = footprint.start_seconds, footprint.idle_rss_megabytes
    table.add_row("start to ready", f"{start:.2f} s", f"< {START_UP_AIM:g} s", _verdict(start < START_UP_AIM))
    first = footprint.first_start_seconds
    table.add_row("first start, empty data directory", f"{first:.2f} s", f"< {START_UP_AIM:g} s", _verdict(first < 1))
    table.add_row("idle RSS", f"{rss:.1f} MB", f"< {RSS_AIM:g} MB", _verdict(rss < RSS_AIM))
    return table


def _notes(report: Report) -> Iterator[str]:
    yield f"machine: {report.machine}"
    if not report.results:
        return
    yield "brokers: " + ", ".join(f"{name} {version}" for name, version in report.brokers.items())
    cores = report.cores
    if cores.shared:
        yield "only one core: broker and generator take its time from each other, the CPU figures are the ones to read"
    else:
        yield f"broker on core {cores.broker}, generator on core {cores.generator}"
    yield "CPU ratio: Mosquitto's CPU per message by ours; broker, generator: core's share; dropped: QoS 0 permits it"
    standings = [(result, standing) for result in report.results for standing in result.standings]
    for result, standing in standings:
        for failure in dict.fromkeys(standing.failures):
            yield f"FAILED {_where(result, standing)}: {failure}"
    for remark, holds in REMARKS.items():
        places = [_where(result, standing) for result, standing in standings if holds(standing)]
        if places:
            yield f"note: {remark}: {'; '.join(places)}"


def _where(result: Result, standing: Standing) -> str:
    return f"{result.scenario.name}, {standing.broker}"


def _generator_full(standing: Standing) -> bool:
    return standing.generator_share is not None and standing.generator_share >= GENERATOR_BOUND


def _broker_idle(standing: Standing) -> bool:
    return standing.broker_share is not None and standing.broker_share < IDLE and not _generator_full(standing)


REMARKS: dict[str, Callable[[Standing], bool]] = {
    "the generator's core was full, so the broker may be faster than this": _generator_full,
    "the broker's core was not full, so it waited or something else ran there": _broker_idle,
    "messages were delivered more than once": lambda standing: standing.duplicated > 0,
}
