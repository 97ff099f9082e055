"""What of the rules engine is measured, by name."""

from collections.abc import Callable

from bench.driver import RunError
from bench.figure import OURS, Figure
from bench.process import BrokerError
from bench.rules import decisions, evaluation, republishing, sqs
from bench.rules.site import Site

TRIALS: dict[str, Callable[[Site], list[Figure]]] = {
    "rules-eval": evaluation.measure,
    "rules-socket": decisions.measure_socket,
    "rules-1000": decisions.measure_thousand,
    "rules-republish": republishing.measure,
    "rules-sqs": sqs.measure,
}


def measure(name: str, site: Site) -> list[Figure]:
    """One of `TRIALS`; a failure is a result too."""
    try:
        return TRIALS[name](site)
    except (BrokerError, RunError, OSError) as error:
        return [Figure(name=name, title=name, unit="/s", values={}, failures={OURS: [str(error)]})]
