"""The measurements of shadows: that they measure what they say, and notice what goes wrong."""

import functools
from pathlib import Path

import msgspec
import pytest
from bench.affinity import machine_cores
from bench.broker import Setup
from bench.driver import RunError
from bench.fogbank import default_command, fogbank
from bench.rules import ministack
from bench.rules.site import Site
from bench.shadows import trials
from bench.shadows.exchange import Task, run
from bench.shadows.update import FIRST, Answer, report

from fogbank.settings import Limits
from fogbank.shadows import answers
from fogbank.shadows.document import updated
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.requests import parse_update


@pytest.fixture
def site(tmp_path: Path) -> Site:
    starter = functools.partial(fogbank, command=default_command())
    return Site(
        generator=tmp_path / "none",
        directory=tmp_path,
        fogbank=starter,
        cores=machine_cores(),
        seconds=0.3,
        warm_up=0.1,
        repeat=1,
        count=0,
    )


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "DEVICES", 10)
    monkeypatch.setattr(ministack, "installed", lambda: False)


def test_each_update_leaves_a_delta() -> None:
    limits = ShadowLimits.of(Limits.AWS)
    shadow = updated(None, parse_update(FIRST, limits).changes, 1)
    for number in range(3):
        request = parse_update(report(number), limits)
        shadow = updated(shadow, request.changes, 1)
        assert answers.delta(shadow, None) is not None
        assert msgspec.json.decode(answers.accepted(request, shadow), type=Answer).clientToken == str(number)


@pytest.mark.parametrize("name", list(trials.TRIALS))
def test_every_trial_comes_to_figures(site: Site, name: str) -> None:
    figures = {figure.name: figure for figure in trials.measure(name, site)}
    assert not [figure.failures for figure in figures.values() if figure.failures]
    for suffix in ("", "-cpu", "-p50", "-p99", "-core", "-clients"):
        assert figures[name + suffix].values["fogbank"].median > 0
    assert figures[f"{name}-p50"].values["fogbank"].median <= figures[f"{name}-p99"].values["fogbank"].median


def test_a_client_that_is_refused_makes_the_run_fail(site: Site) -> None:
    with site.start("one") as broker:
        assert broker.api is not None
        task = Task(
            port=int(broker.api.url.rpartition(":")[2]),
            pid=broker.plain.pid,
            clients=1,
            seconds=0.1,
            warm_up=0.0,
            access_key_id=broker.api.access_key_id,
            secret_access_key="wrong",
            region=broker.api.region,
        )
        with pytest.raises(RunError, match="403"):
            run("callers", task, site.cores.generator)


def test_a_server_that_is_not_there_is_told(site: Site) -> None:
    with site.start("one", Setup()) as broker:
        port, pid = broker.plain.port, broker.plain.pid
        task = Task(port=1, pid=pid, clients=1, seconds=0.1, warm_up=0.0)
        assert port != 1
        with pytest.raises(RunError, match="Connect"):
            run("fleet", task, site.cores.generator)
