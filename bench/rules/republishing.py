"""`rules-republish`: publish, rule, republish, subscriber; the generator verifies every byte of what comes back.

Two streams with a window of messages under way each: more than the action's queue takes would be lost, as they are on
AWS where a rule is throttled. `SELECT *` takes the payload apart and puts it together again.
"""

from bench.driver import RunError
from bench.figure import OURS, Aim, Bound, Figure, Tally
from bench.rules.installation import NewRule, install, republish
from bench.rules.payload import SIZE
from bench.rules.site import Site
from bench.scenario import SATURATING_WINDOW, Form, Scenario, Topology

AIM = Aim(Bound.LEAST, 40_000.0, None)

STREAMS = Scenario(
    name="rules-republish",
    title="2 -> rule -> 2 streams, QoS 0",
    topology=Topology.PAIRS,
    publishers=2,
    subscribers=2,
    window=SATURATING_WINDOW,
    payload=SIZE,
    form=Form.JSON,
    topic="bench/in",
    arrives="bench/out",
)

RULE = NewRule("republish", "SELECT * FROM 'bench/in/+' WHERE temperature > 20", republish("bench/out/${topic(3)}"))


def measure(site: Site) -> list[Figure]:
    """End to end."""
    tally = Tally()
    with site.start("republish") as broker:
        install(broker.api, [RULE])
        for _ in range(site.repeat):
            outcome = site.drive(STREAMS, broker)
            broken = outcome.broken_promises(STREAMS.qos)
            if outcome.missing or outcome.duplicated:
                broken.append(f"of {outcome.expected:,} messages {outcome.missing:,} were lost")
            if broken:
                raise RunError("; ".join(broken))
            tally.add("rules-republish", OURS, outcome.rate)
            tally.add("rules-republish-cpu", OURS, outcome.broker_cpu.total / outcome.delivered * 1e6)
    return [
        tally.figure("rules-republish", "rule republishes, end to end, 2 -> 2 streams", "/s", AIM),
        tally.figure("rules-republish-cpu", "rule republishes: CPU per message", "us"),
    ]
