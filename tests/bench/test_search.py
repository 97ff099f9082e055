"""The benchmark of searches: that it measures what it says, on a small fleet."""

import pytest
from bench.fleet import fleet
from bench.search import ACTS, LIMIT, SEARCHES, Timing, main, show, timing
from click.testing import CliRunner

from fogbank.search import matches, parse


def test_the_fleet_is_the_same_every_time_and_in_order() -> None:
    some = list(fleet(100))
    assert some == list(fleet(100))
    assert [one.name for one in some] == sorted(one.name for one in some)
    assert len({one.name for one in some}) == 100


@pytest.mark.parametrize("query", SEARCHES)
def test_every_query_finds_something(query: str) -> None:
    asked = parse(query)
    assert any(matches(asked, one.fields()) for one in fleet(12_000)), query


def test_the_99th_percentile() -> None:
    seconds = [0.001 * i for i in range(1, 101)]
    found = timing("x", seconds[::-1])
    assert found.median == pytest.approx(0.051)
    assert found.high == pytest.approx(0.1)
    assert timing("x", [1.0]) == Timing("x", 1.0, 1.0)


def test_what_is_too_slow_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    show([Timing("slow", 0.001, LIMIT), Timing("fast", 0.001, LIMIT / 2)])
    [fast, slow] = [line for line in capsys.readouterr().out.splitlines() if "fast" in line or "slow" in line]
    assert "50.0 *" in slow
    assert "*" not in fast


@pytest.mark.parametrize("options", [[], ["--still"]])
def test_the_command(options: list[str]) -> None:
    result = CliRunner().invoke(main, ["--things", "300", "--repeat", "1", *options])
    assert result.exit_code in (0, 1), result.output
    assert "300 things in" in result.output
    assert all(name.split()[0].split(":")[0][:12] in result.output for name in ACTS)
