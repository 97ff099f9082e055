"""`rules-sqs`: WHERE, then the SQS action, every message verified in the queue.

Side by side with MiniStack, into MiniStack's own queue: for Fogbank that is another process, which it calls over HTTP;
MiniStack's rules reach it by a function call. And into a queue that does nothing else than count, to see what Fogbank
does where that is not the bound. Each run is a burst that an action's queue can hold; what counts is the time from the
first message in the queue to the last.
"""

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager

import msgspec

from bench.affinity import Cores
from bench.broker import Broker, Setup
from bench.driver import RunError
from bench.figure import OURS, Aim, Bound, Figure, Tally
from bench.process import BrokerError
from bench.rules import ministack
from bench.rules.arrivals import Arrivals
from bench.rules.installation import ROLE, NewRule, install
from bench.rules.payload import SIZE
from bench.rules.queues import AwsQueue, Queue, sink
from bench.rules.readings import cpu_seconds
from bench.rules.site import Site
from bench.scenario import Form, Scenario, Topology

AIM = Aim(Bound.LEAST, 13_000.0, None)
"""Thrice the 4400 that MiniStack did where this was asked."""
PEER_AIM = Aim(Bound.LEAST, 3.0, ministack.NAME)
"""Thrice what it does here, which its own queue cannot take: a message of a SendMessageBatch is a third of the work for
it that the whole way from MQTT through a rule into the queue is."""

BURST = 10_000
"""What one action lets wait (`fogbank.rules.lane`): beyond that the newest would fail, as it should."""
FIRST = 200
"""A burst before all others: whatever is loaded with the first call is."""
LONGEST = 30.0
"""Seconds that publishing a burst may take."""

PUBLISH = Scenario(
    name="rules-sqs",
    title="2 publishers at QoS 1, mutual TLS",
    topology=Topology.NOWHERE,
    publishers=2,
    subscribers=0,
    qos=1,
    window=100,
    payload=SIZE,
    form=Form.JSON,
    tls=True,
)


def measure(site: Site) -> list[Figure]:
    """Both queues; MiniStack's where that is installed."""
    cores = queue_cores(site.cores)
    beside, alone, aim = Tally(), Tally(), AIM
    if ministack.installed():
        aim = PEER_AIM
        place = site.directory / "ministack"
        with _told(beside, ministack.NAME), ministack.ministack(place, cores) as peer:
            _side_by_side(site, peer, beside, alone)
    with sink(site.directory, cores) as queue:
        _alone(site, queue, alone)
    peer_name = ministack.NAME
    return [
        beside.figure("rules-sqs", "rule to SQS, both into MiniStack's queue", "/s", AIM, peer_name),
        beside.figure("rules-sqs-cpu", "rule to SQS: CPU per message, the queue's included", "us", beside=peer_name),
        beside.figure("rules-sqs-queue", "rule to SQS: MiniStack's process meanwhile", "%", beside=peer_name),
        alone.figure("rules-sqs-quick", "rule to SQS, each into its quickest queue", "/s", aim),
        alone.figure("rules-sqs-quick-cpu", "rule to SQS: CPU per message, without the queue's", "us"),
        alone.figure("rules-sqs-quick-queue", "rule to SQS: the counting queue's process meanwhile", "%"),
    ]


def queue_cores(cores: Cores) -> tuple[int]:
    """Another than the broker's and the generator's, where there is one; else the latter, which has little to do."""
    others = os.sched_getaffinity(0) - {*cores.broker, cores.generator}
    return (max(others, default=cores.generator),)


def _side_by_side(site: Site, peer: Broker, tally: Tally, quickest: Tally) -> None:
    """Turn by turn, each into a queue of its own in the same service, which is also the quickest that the peer has."""
    assert peer.api is not None
    queues = {name: AwsQueue(peer.api, peer.plain.pid, name) for name in (OURS, peer.name)}
    with _told(tally, OURS), _fogbank(site, "beside", queues[OURS]) as ours:
        able = []
        for broker in (ours, peer):
            with _told(tally, broker.name):
                _prepare(site, broker, queues[broker.name])
                able.append(broker)
        for _ in range(site.repeat):
            for broker in able:
                with _told(tally, broker.name):
                    burst = run(site, broker, queues[broker.name])
                    tally.add("rules-sqs", broker.name, burst.arrivals.rate)
                    tally.add("rules-sqs-cpu", broker.name, burst.each(burst.total_cpu))
                    tally.add("rules-sqs-queue", broker.name, burst.queue_share * 100)
                    if broker is peer:
                        quickest.add("rules-sqs-quick", peer.name, burst.arrivals.rate)


def _alone(site: Site, queue: Queue, tally: Tally) -> None:
    with _told(tally, OURS), _fogbank(site, "alone", queue) as broker:
        _prepare(site, broker, queue)
        for _ in range(site.repeat):
            burst = run(site, broker, queue)
            tally.add("rules-sqs-quick", OURS, burst.arrivals.rate)
            tally.add("rules-sqs-quick-cpu", OURS, burst.each(burst.broker_cpu))
            tally.add("rules-sqs-quick-queue", OURS, burst.queue_share * 100)


def _prepare(site: Site, broker: Broker, queue: Queue) -> None:
    install(broker.api, [rule(queue)])
    run(site, broker, queue, FIRST)


def _fogbank(site: Site, name: str, queue: Queue) -> AbstractContextManager[Broker]:
    environment = {
        "AWS_ENDPOINT_URL_SQS": queue.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    return site.start(name, Setup(tls=True, environment=environment))


def rule(queue: Queue) -> NewRule:
    """Which fires for every message."""
    action = {"sqs": {"queueUrl": queue.url, "roleArn": ROLE, "useBase64": False}}
    return NewRule("to_sqs", "SELECT * FROM 'bench/+' WHERE temperature > 20", action)


@contextlib.contextmanager
def _told(tally: Tally, name: str) -> Iterator[None]:
    """What goes wrong for one does not keep the other from showing what it can."""
    try:
        yield
    except (RunError, BrokerError, OSError) as error:
        tally.fail(name, str(error))


class Burst(msgspec.Struct, frozen=True):
    """What became of one. CPU times are seconds, from before the first message was published to the last's arrival."""

    arrivals: Arrivals
    broker_cpu: float
    queue_cpu: float
    total_cpu: float
    """Of both, or of the one process that is both."""

    @property
    def queue_share(self) -> float:
        """Of a core; a little above 1 where it was busy before the first message was there, too."""
        return self.queue_cpu / max(self.arrivals.seconds, 0.001)

    def each(self, cpu: float) -> float:
        """Microseconds per message."""
        return cpu * 1e6 / self.arrivals.distinct


def run(site: Site, broker: Broker, queue: Queue, burst: int = BURST) -> Burst:
    """One burst, all of it verified. Raises RunError."""
    each = min(site.count, burst) // PUBLISH.publishers
    expected = each * PUBLISH.publishers
    pids = {broker.plain.pid, queue.pid}
    before = {pid: cpu_seconds(pid) for pid in pids}
    outcome = site.drive(msgspec.structs.replace(PUBLISH, count=each), broker, seconds=LONGEST)
    if (outcome.published, outcome.acknowledged) != (expected, expected):
        raise RunError(f"of {expected:,} messages {outcome.acknowledged:,} were acknowledged")
    queue.wait(expected)
    used = {pid: cpu_seconds(pid) - before[pid] for pid in pids}
    arrivals = queue.collect()
    arrivals.check(expected)
    return Burst(arrivals, used[broker.plain.pid], used[queue.pid], sum(used.values()))
