"""`rules-socket` and `rules-1000`: from bytes on a socket to the decision of a WHERE that is not true.

Nothing leaves the platform then, so it is asked itself what it has counted, at the start and at the end of the measured
span; when all is over, every message must have met every rule that it should.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from bench.broker import Broker
from bench.driver import RunError
from bench.figure import OURS, Aim, Bound, Figure, Tally
from bench.rules.installation import NewRule, install, republish
from bench.rules.payload import SIZE
from bench.rules.readings import Reading, read
from bench.rules.site import Site
from bench.scenario import Form, Scenario, Topology

SOCKET_AIM = Aim(Bound.LEAST, 60_000.0, None)
THOUSAND_AIM = Aim(Bound.MOST, 1.05, None)
"""Of the CPU time that a message costs with ten rules; two runs of the same differ by a few per cent."""

FEW, MANY = 10, 1000

FLOOD = Scenario(
    name="rules-socket",
    title="2 publishers at QoS 0",
    topology=Topology.NOWHERE,
    publishers=2,
    subscribers=0,
    payload=SIZE,
    form=Form.JSON,
)

NEVER = republish("bench/never")
MATCHING = NewRule("matching", "SELECT * FROM 'bench/+' WHERE temperature > 30", NEVER)

MARGIN = 0.2
"""Seconds that publishing goes on after the measured span."""
SETTLING = 10.0
"""Seconds until what was published must have been decided."""


def measure_socket(site: Site) -> list[Figure]:
    """One rule."""
    tally = Tally()
    with site.start("socket") as broker:
        install(broker.api, [MATCHING])
        for _ in range(site.repeat):
            first, last = decide(site, broker)
            tally.add("rules-socket", OURS, last.rate(first))
            tally.add("rules-socket-cpu", OURS, last.cost(first))
    return [
        tally.figure("rules-socket", "rule decided, from the socket on", "/s", SOCKET_AIM),
        tally.figure("rules-socket-cpu", "rule decided: CPU per message", "us"),
    ]


def measure_thousand(site: Site) -> list[Figure]:
    """Ten rules and a thousand, of which one matches, turn by turn."""
    tally = Tally()
    with site.start("few") as few, site.start("many") as many:
        install(few.api, crowd(FEW))
        install(many.api, crowd(MANY))
        for _ in range(site.repeat):
            costs = []
            for name, broker in (("rules-10", few), ("rules-1000", many)):
                first, last = decide(site, broker)
                tally.add(name, OURS, last.rate(first))
                costs.append(last.cost(first))
            tally.add("rules-1000-by-10", OURS, costs[1] / costs[0])
    return [
        tally.figure("rules-10", f"{FEW} rules, one of which matches, from the socket on", "/s"),
        tally.figure("rules-1000", f"{MANY} rules, one of which matches, from the socket on", "/s"),
        tally.figure("rules-1000-by-10", f"CPU per message, {MANY} rules by {FEW}", "x", THOUSAND_AIM),
    ]


def crowd(size: int) -> Sequence[NewRule]:
    """One rule that matches, and others that do not: their filters are as near to its topics as such can be."""
    filters = ("bench/other/{}", "bench/+/other/{}")
    others = [
        NewRule(
            f"other_{number}", f"SELECT * FROM '{filters[number % 2].format(number)}' WHERE temperature > 30", NEVER
        )
        for number in range(size - 1)
    ]
    return [*others[: size // 2], MATCHING, *others[size // 2 :]]


def decide(site: Site, broker: Broker) -> tuple[Reading, Reading]:
    """One run: what was counted when the measured span began, and when it ended. Raises RunError."""
    before = read(broker)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(site.drive, FLOOD, broker, seconds=site.warm_up + site.seconds + MARGIN)
        time.sleep(site.warm_up)
        first = read(broker)
        time.sleep(site.seconds)
        last = read(broker)
        published = running.result().published
    after = _settled(broker, before.matched + published)
    if after.matched - before.matched != published:
        raise RunError(f"of {published:,} messages the rule has seen {after.matched - before.matched:,}")
    if after.fired != before.fired or after.broken != before.broken:
        raise RunError(f"{after.fired - before.fired:,} fired, {after.broken - before.broken:,} could not be evaluated")
    return first, last


def _settled(broker: Broker, awaited: int) -> Reading:
    deadline = time.monotonic() + SETTLING
    while (reading := read(broker)).matched < awaited and time.monotonic() < deadline:
        time.sleep(0.05)
    return reading
