"""The report as a person reads it: two tables and, below them, whatever needs saying."""

from collections.abc import Callable, Iterator

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.figure import OURS, Figure
from bench.report import GENERATOR_BOUND, IDLE, Report, Result, Standing

PLAIN_WIDTH = 160
"""Columns where the output is no terminal and has no width of its own."""

QUIET = 0.7
"""The load average up to which a machine counts as doing nothing else."""

TRAFFIC = ("/s", "min - max", "CPU us each", "CPU ratio", "broker", "generator", "dropped")


def console() -> Console:
    """Coloured on a terminal, plain ASCII without wrapping anywhere else."""
    probe = Console(highlight=False)
    return probe if probe.is_terminal else Console(highlight=False, width=PLAIN_WIDTH, no_color=True)


def show(report: Report, out: Console) -> None:
    """Print the whole report."""
    out.print()
    if report.results:
        out.print(_traffic(report, out))
    out.print(_verdicts(report, out))
    for note in _notes(report):
        out.print(note, markup=False)


def _table(out: Console, title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAVY if out.is_terminal else box.ASCII)


def _traffic(report: Report, out: Console) -> Table:
    table = _table(out, f"Messages (handshakes) per second: median of {report.repeat} runs of {report.seconds:g} s")
    for heading in ("scenario", "broker"):
        table.add_column(heading, no_wrap=True)
    for heading in TRAFFIC:
        table.add_column(heading, justify="right", no_wrap=True)
    for result in report.results:
        for standing in result.standings:
            table.add_row(*_row(result, standing))
        table.add_section()
    return table


def _row(result: Result, standing: Standing) -> list[str]:
    first = standing is result.standings[0]
    head = [result.scenario.title if first else "", standing.broker]
    if standing.rate is None:
        return [*head, "failed"]
    rate = standing.rate
    return [
        *head,
        "INVALID" if standing.failures else f"{rate.median:,.0f}",
        f"{rate.low / 1000:,.1f} - {rate.high / 1000:,.1f} k",
        f"{standing.cpu or 0:.2f}",
        _times(result.cpu_ratio) if standing.broker == OURS else "",
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
    return "-" if ratio is None else f"{ratio:.2f}x"


def _verdict(met: bool | None) -> Text:
    if met is None:
        return Text("-")
    return Text("met", style="green") if met else Text("short", style="bold red")


def _verdicts(report: Report, out: Console) -> Table:
    table = _table(out, "Side by side, and what is asked: medians")
    names = list(dict.fromkeys(name for figure in report.figures for name in (*figure.values, *figure.failures)))
    table.add_column("", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for heading in (*names, "ratio", "asked", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in report.figures:
        cells = [_cell(figure, name) for name in names]
        asked = "" if figure.aim is None else figure.aim.text(figure.unit)
        table.add_row(figure.title, figure.unit, *cells, _times(figure.ratio), asked, _verdict(figure.met))
    return table


def _cell(figure: Figure, broker: str) -> str:
    if broker not in figure.values:
        return "failed" if figure.failures.get(broker) else "-"
    median = figure.median(broker)
    return "INVALID" if median is None else amount(median)


def amount(value: float) -> str:
    """With three digits that mean something, and all of them before the point."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _notes(report: Report) -> Iterator[str]:
    yield f"machine: {report.machine}"
    if report.load > QUIET:
        yield f"note: the machine was busy otherwise (load average {report.load:.1f} at the start): rates mean little"
    for line in report.skipped:
        yield f"skipped: {line}"
    for failure in dict.fromkeys(_failures(report)):
        yield f"FAILED {failure}"
    if report.brokers:
        yield "brokers: " + ", ".join(f"{name} {version}" for name, version in report.brokers.items())
    if not report.results:
        return
    cores = report.cores
    if cores.shared:
        yield "only one core: broker and generator take its time from each other, the CPU figures are the ones to read"
    else:
        yield f"broker on core {', '.join(map(str, cores.broker))}, generator on core {cores.generator}"
    yield "CPU ratio: Mosquitto's CPU per message by ours; broker, generator: core's share; dropped: QoS 0 permits it"
    standings = [(result, standing) for result in report.results for standing in result.standings]
    for remark, holds in REMARKS.items():
        places = [_where(result, standing) for result, standing in standings if holds(result, standing)]
        if places:
            yield f"note: {remark}: {'; '.join(places)}"


def _failures(report: Report) -> Iterator[str]:
    for figure in report.figures:
        for broker, failures in figure.failures.items():
            for failure in failures:
                yield f"{figure.name}, {broker}: {failure}"


def _where(result: Result, standing: Standing) -> str:
    return f"{result.scenario.name}, {standing.broker}"


def _generator_full(result: Result, standing: Standing) -> bool:
    """On a schedule the generator keeps its core busy on purpose."""
    share = standing.generator_share
    return share is not None and share >= GENERATOR_BOUND and not result.scenario.rate


def _broker_idle(result: Result, standing: Standing) -> bool:
    share = standing.broker_share
    if share is None or result.scenario.rate:
        return False
    return share < IDLE and not _generator_full(result, standing)


REMARKS: dict[str, Callable[[Result, Standing], bool]] = {
    "the generator's core was full, so the broker may be faster than this": _generator_full,
    "the broker's core was not full, so it waited or something else ran there": _broker_idle,
    "messages were still on their way when the run was over, and count as dropped": lambda _, standing: standing.late,
    "messages were delivered more than once": lambda _, standing: standing.duplicated > 0,
}
