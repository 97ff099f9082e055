"""The measurements of the rules engine: that they measure what they say, and notice what goes wrong."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from bench.affinity import Cores
from bench.broker import Api, Broker, Endpoint
from bench.driver import RunError
from bench.figure import OURS, Figure
from bench.process import BrokerError
from bench.rules import decisions, evaluation, installation, ministack, republishing, sqs, trials
from bench.rules.arrivals import Arrivals, Ledger
from bench.rules.payload import payload
from bench.rules.queues import AwsQueue, SinkQueue, sink
from bench.rules.readings import Reading, cpu_seconds, read
from bench.rules.site import Site
from bench.scenario import Scenario

from bench import campaign
from fogbank import topics
from fogbank.rules import lane
from fogbank.sql import Event, compile_statement, parse

# --- statements and rules ---


def outcome_of(sql: str) -> bytes | None:
    query = compile_statement(parse(sql, installation.SQL_VERSION))
    outcome = query.evaluate(Event(topic="bench/in/0", payload=payload(0, 1)))
    assert outcome.failure is None
    return (outcome.output or b"") if outcome.fires else None


def test_the_statements_are_true_or_not_as_their_titles_say() -> None:
    assert outcome_of(evaluation.STATEMENTS["rules-eval"]) is None
    assert outcome_of(evaluation.STATEMENTS["rules-eval-fires"]) == payload(0, 1)
    assert outcome_of(decisions.MATCHING.sql) is None
    assert outcome_of(republishing.RULE.sql) == payload(0, 1)
    assert evaluation.TITLES.keys() == evaluation.STATEMENTS.keys()


@pytest.mark.parametrize("size", [decisions.FEW, decisions.MANY])
def test_of_a_crowd_one_rule_matches(size: int) -> None:
    crowd = decisions.crowd(size)
    assert len({rule.name for rule in crowd}) == size
    filters = [compile_statement(parse(rule.sql, installation.SQL_VERSION)).topic_filter for rule in crowd]
    for topic in ("bench/0", "bench/1"):
        assert [each for each in filters if topics.matches(each or "", topic)] == ["bench/+"]


def test_evaluations_are_counted_by_cpu_time() -> None:
    assert evaluation.rate("SELECT * FROM 'bench/+'", 0.01) > 1000


def test_rules_cannot_be_installed_where_there_is_no_api() -> None:
    with pytest.raises(RunError, match="no API"):
        installation.install(None, [decisions.MATCHING])


# --- what arrived ---


def test_a_ledger_counts_each_message_once() -> None:
    ledger = Ledger()
    for at, body in enumerate([payload(0, 0), payload(0, 1), payload(1, 1), payload(0, 1), b"nonsense"], 10):
        ledger.record(body, float(at))
    assert ledger.arrivals() == Arrivals(distinct=3, duplicated=1, corrupt=1, seconds=4.0)
    assert ledger.arrivals().rate == pytest.approx(2 / 4)


def test_nothing_has_no_rate() -> None:
    assert Ledger().arrivals() == Arrivals(0, 0, 0, 0.0)
    assert Ledger().arrivals().rate == 0


@pytest.mark.parametrize(
    ("arrivals", "text"),
    [
        (Arrivals(9, 0, 0, 1.0), "of 10 messages 1 did not arrive"),
        (Arrivals(10, 2, 0, 1.0), "2 did so again"),
        (Arrivals(10, 0, 3, 1.0), "3 were none of those sent"),
    ],
)
def test_what_did_not_arrive_as_it_should_ends_the_run(arrivals: Arrivals, text: str) -> None:
    with pytest.raises(RunError, match=text):
        arrivals.check(10)


def test_what_arrived_as_it_should_does_not() -> None:
    Arrivals(10, 0, 0, 1.0).check(10)


# --- the sink ---


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SinkQueue]:
    with sink(tmp_path_factory.mktemp("sink"), None) as running:
        yield running


def client(queue: SinkQueue) -> Any:
    return Api(queue.endpoint, "us-east-1", "test", "test").client("sqs")


def test_the_sink_speaks_sqs_and_counts(queue: SinkQueue) -> None:
    sqs_client = client(queue)
    sqs_client.send_message(QueueUrl=queue.url, MessageBody=payload(0, 0).decode())  # boto3 checks the MD5
    entries = [{"Id": str(number), "MessageBody": payload(1, number).decode()} for number in range(10)]
    answer = sqs_client.send_message_batch(QueueUrl=queue.url, Entries=entries)
    assert [each["Id"] for each in answer["Successful"]] == [str(number) for number in range(10)]
    queue.wait(11)
    arrivals = queue.collect()
    assert (arrivals.distinct, arrivals.duplicated, arrivals.corrupt) == (11, 0, 0)
    assert arrivals.seconds > 0
    assert queue.collect().distinct == 0


def test_the_sink_notices_what_nobody_sent(queue: SinkQueue) -> None:
    for body in ("nonsense", payload(0, 5).decode(), payload(0, 5).decode()):
        client(queue).send_message(QueueUrl=queue.url, MessageBody=body)
    queue.wait(1)
    arrivals = queue.collect()
    assert (arrivals.distinct, arrivals.duplicated, arrivals.corrupt) == (1, 1, 1)


def test_the_sink_refuses_what_it_does_not_know(queue: SinkQueue) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="nothing that is done here"):
        client(queue).purge_queue(QueueUrl=queue.url)


def test_no_more_is_awaited_than_comes(queue: SinkQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.rules.queues.PATIENCE", 0.1)
    queue.wait(1)
    assert queue.collect().distinct == 0


# --- readings ---

METRICS = """\
# TYPE fogbank_rule_topic_match_total counter
fogbank_rule_topic_match_total{rule="a"} 40
fogbank_rule_topic_match_total{rule="b"} 2
fogbank_rule_executed_total{rule="a"} 5
fogbank_rule_broken_total{rule="b"} 1
fogbank_rule_success_total{rule="b",action_type="sqs"} 100
fogbank_connections 7
"""


class Page(http.server.BaseHTTPRequestHandler):
    """Metrics, for who signs."""

    def do_GET(self) -> None:
        signed = "Credential=A/" in self.headers.get("Authorization", "")
        self.send_response(200 if signed and self.path == "/_fogbank/metrics" else 403)
        self.end_headers()
        self.wfile.write(METRICS.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving_metrics(key: str) -> Iterator[Broker]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    endpoint = Endpoint(1, os.getpid())
    api = Api(f"http://127.0.0.1:{server.server_port}", "us-east-1", key, "secret")
    yield Broker(name=OURS, version="1", plain=endpoint, secure=None, api=api)
    server.shutdown()
    server.server_close()


def test_a_reading_is_the_sum_of_all_rules() -> None:
    with serving_metrics("A") as broker:
        reading = read(broker)
    assert (reading.matched, reading.fired, reading.broken) == (42, 5, 1)
    assert 0 < reading.cpu <= cpu_seconds(os.getpid())


def test_metrics_that_cannot_be_read_end_the_run() -> None:
    with serving_metrics("B") as broker, pytest.raises(RunError, match="403"):
        read(broker)


def test_metrics_that_lack_a_count_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.test_rules.METRICS", METRICS.replace("topic_match", "messages"))
    with serving_metrics("A") as broker, pytest.raises(RunError, match="do not tell 'fogbank_rule_topic_match_total'"):
        read(broker)


def test_rates_and_costs_are_of_what_lies_between() -> None:
    first = Reading(at=10.0, cpu=1.0, matched=1000, fired=0, broken=0)
    last = Reading(at=12.0, cpu=2.0, matched=201_000, fired=0, broken=0)
    assert last.rate(first) == pytest.approx(100_000)
    assert last.cost(first) == pytest.approx(5.0)


# --- one run ---


class Sequence:
    """In a Site's place: a run that published so much, and readings of what came of it."""

    seconds = warm_up = 0.0
    count = 1000

    def __init__(self, *readings: Reading, published: int, acknowledged: int = 0) -> None:
        self.readings = list(readings)
        self.published = published
        self.acknowledged = acknowledged
        self.driven: list[Scenario] = []

    def drive(self, scenario: Scenario, *_: object, **__: object) -> Any:
        self.driven.append(scenario)
        return self

    def read(self, _: Broker) -> Reading:
        return self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]


def reading(matched: int, fired: int = 0, broken: int = 0) -> Reading:
    return Reading(at=matched / 10, cpu=0, matched=matched, fired=fired, broken=broken)


def decide(site: Sequence, monkeypatch: pytest.MonkeyPatch) -> tuple[Reading, Reading]:
    monkeypatch.setattr(decisions, "read", site.read)
    monkeypatch.setattr(decisions, "SETTLING", 0.0)
    return decisions.decide(cast(Site, site), cast(Broker, None))


def test_decisions_are_read_at_both_ends_of_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Sequence(reading(5), reading(7), reading(90), reading(105), published=100)
    assert decide(site, monkeypatch) == (reading(7), reading(90))


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (reading(104), "of 100 messages the rule has seen 99"),
        (reading(106), "of 100 messages the rule has seen 101"),
        (reading(105, fired=1), "1 fired"),
        (reading(105, broken=2), "2 could not be evaluated"),
    ],
)
def test_messages_that_were_not_decided_as_they_should_end_the_run(
    after: Reading, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match=text):
        decide(Sequence(reading(5), reading(7), reading(90), after, published=100), monkeypatch)


class Filled:
    """A queue in which so many were found."""

    url = endpoint = "http://127.0.0.1:1/1/q"
    pid = os.getpid()

    def __init__(self, found: int) -> None:
        self.found = found

    def wait(self, expected: int) -> None:
        """They are all there."""

    def collect(self) -> Arrivals:
        return Arrivals(self.found, 0, 0, 2.0)


HERE = Broker(name=OURS, version="1", plain=Endpoint(1, os.getpid()), secure=None)


def test_a_burst_is_what_a_queue_of_firings_holds() -> None:
    site = Sequence(reading(0), published=1000, acknowledged=1000)
    burst = sqs.run(cast(Site, site), HERE, Filled(1000))
    assert burst.arrivals.rate == pytest.approx(999 / 2)
    assert burst.broker_cpu == burst.queue_cpu == burst.total_cpu  # the one process that is both here
    [scenario] = site.driven
    assert (scenario.count, scenario.publishers) == (500, 2)
    site.count, site.published, site.acknowledged = 1_000_000, 10_000, 10_000
    sqs.run(cast(Site, site), HERE, Filled(10_000))
    assert site.driven[-1].count * site.driven[-1].publishers == sqs.BURST == lane.MAX_WAITING


def test_a_burst_that_is_not_acknowledged_or_does_not_arrive_ends_the_run() -> None:
    with pytest.raises(RunError, match="of 1,000 messages 999 were acknowledged"):
        sqs.run(cast(Site, Sequence(published=1000, acknowledged=999)), HERE, Filled(1000))
    with pytest.raises(RunError, match="of 1,000 messages 1 did not arrive"):
        sqs.run(cast(Site, Sequence(published=1000, acknowledged=1000)), HERE, Filled(999))


# --- the whole ---


def test_the_queue_has_a_core_of_its_own_where_there_is_one() -> None:
    every = os.sched_getaffinity(0)
    [core] = sqs.queue_cores(Cores(broker=(max(every),), generator=min(every)))
    assert core in every
    assert len(every) < 3 or core not in (max(every), min(every))
    assert sqs.queue_cores(Cores(broker=tuple(every), generator=min(every))) == (min(every),)


def test_a_burst_is_told_per_message() -> None:
    burst = sqs.Burst(Arrivals(1000, 0, 0, 0.5), broker_cpu=0.1, queue_cpu=0.25, total_cpu=0.35)
    assert burst.queue_share == pytest.approx(0.5)
    assert burst.each(burst.total_cpu) == pytest.approx(350)


def _site(directory: Path) -> Site:
    def broken(*_: object) -> Any:
        raise BrokerError("it does not start")

    cores = Cores(broker=(0,), generator=0)
    return Site(
        generator=directory, directory=directory, fogbank=broken, cores=cores, seconds=0, warm_up=0, repeat=1, count=1
    )


@pytest.mark.parametrize("name", ["rules-socket", "rules-1000", "rules-republish"])
def test_a_platform_that_does_not_start_is_a_failure_and_no_end(tmp_path: Path, name: str) -> None:
    [figure] = trials.measure(name, _site(tmp_path))
    assert figure.failures == {OURS: ["it does not start"]}
    assert figure.met is None


def test_a_queue_that_reaches_nobody_is_a_failure_and_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack, "INSTALLED", tmp_path / "absent")
    figures = {figure.name: figure for figure in trials.measure("rules-sqs", _site(tmp_path))}
    assert figures["rules-sqs-quick"].failures == {OURS: ["it does not start"]}
    assert figures["rules-sqs-quick"].aim == sqs.AIM  # there is nobody to be three times as fast as


def test_a_peer_that_does_not_start_is_its_own_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Any:
        raise BrokerError("nor does it")

    monkeypatch.setattr(ministack, "INSTALLED", tmp_path)
    monkeypatch.setattr(ministack, "ministack", broken)
    figures = {figure.name: figure for figure in trials.measure("rules-sqs", _site(tmp_path))}
    assert figures["rules-sqs"].failures == {"ministack": ["nor does it"]}
    assert figures["rules-sqs-quick"].failures == {OURS: ["it does not start"]}


def test_every_trial_is_on_the_command_line() -> None:
    assert set(trials.TRIALS) < set(campaign.TRIALS)


def test_figures_may_stand_beside_another_peer() -> None:
    from bench.figure import Tally

    tally = Tally()
    tally.add("x", OURS, 30)
    tally.add("x", "ministack", 10)
    figure: Figure = tally.figure("x", "a thing", "/s", sqs.AIM, "ministack")
    assert (figure.ratio, figure.met) == (3.0, False)


def test_ministack_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ministack, "INSTALLED", tmp_path / "absent")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "could not be installed by pip: [Errno 2]" in str(ministack.install())
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "could not be installed by pip: Command" in str(ministack.install())
    assert not ministack.installed()


@pytest.mark.skipif(not ministack.installed(), reason="ministack is not installed (make bench does it)")
def test_ministack_has_a_queue(tmp_path: Path) -> None:
    with ministack.ministack(tmp_path, None) as peer:
        assert peer.api is not None
        queue = AwsQueue(peer.api, peer.plain.pid, "test")
        for number in range(12):
            peer.api.client("sqs").send_message(QueueUrl=queue.url, MessageBody=payload(0, number).decode())
        queue.wait(12)
        arrivals = queue.collect()
        arrivals.check(12)
        assert 0 < arrivals.seconds < 60
        assert queue.collect().distinct == 0


def test_a_quick_run_of_the_whole_engine(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    only = [option for name in ("rules-eval", "rules-socket", "rules-republish") for option in ("--only", name)]
    command = [sys.executable, "-m", "bench", "--quick", *only, "--brokers", "fogbank", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = {figure["name"]: figure for figure in json.loads(file.read_text())["figures"]}
    assert set(figures) == {
        *("rules-eval", "rules-eval-fires", "rules-socket", "rules-socket-cpu", "rules-republish"),
        "rules-republish-cpu",
    }
    assert all(figure["values"][OURS]["median"] > 0 for figure in figures.values())
