"""`rules-eval`: what the engine can decide on one core, with nothing around it.

Each message is parsed anew, as each is a message of its own. What counts is the time that the process had the core: it
is not the engine's doing when the machine lets others have it. Runs as a process of its own, so that it is on the
broker's core and has nothing of the benchmark's in its memory.
"""

import gc
import subprocess
import sys
import time
from collections.abc import Sequence

import msgspec

from bench.affinity import pinned
from bench.driver import RunError
from bench.figure import OURS, Aim, Bound, Figure, Tally
from bench.rules.payload import SIZE, payload
from bench.rules.site import Site

AIM = Aim(Bound.LEAST, 150_000.0, None)

STATEMENTS = {
    "rules-eval": "SELECT * FROM 'bench/+' WHERE temperature > 30",
    "rules-eval-fires": "SELECT * FROM 'bench/+' WHERE temperature > 20",
}
"""By figure: the payload's temperature is 21.5."""

TITLES = {
    "rules-eval": f"rule evaluated, {SIZE} bytes, WHERE not true",
    "rules-eval-fires": "rule evaluated, WHERE true, SELECT *",
}

MESSAGES = 4096
"""Different ones, so that nothing is gained by having seen them."""

Rates = dict[str, list[float]]


def measure(site: Site) -> list[Figure]:
    """One core, in process."""
    tally = Tally()
    command = [sys.executable, "-m", "bench.rules.evaluation", str(site.seconds), str(site.repeat)]
    with pinned(site.cores.broker[:1]):
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise RunError(f"the evaluation failed: {done.stderr.decode().strip()}")
    for name, rates in msgspec.json.decode(done.stdout, type=Rates).items():
        for rate in rates:
            tally.add(name, OURS, rate)
    return [tally.figure(name, title, "/s", AIM) for name, title in TITLES.items()]


def rate(sql: str, seconds: float) -> float:
    """Evaluations per second of CPU time, measured for so long."""
    from fogbank.sql import Event, compile_statement, parse

    query = compile_statement(parse(sql, "2016-03-23"))
    payloads = [payload(0, number) for number in range(MESSAGES)]
    evaluations = 0
    begin = time.process_time()
    while (used := time.process_time() - begin) < seconds:
        for each in payloads:
            query.evaluate(
                Event(
                    topic="bench/0",
                    payload=each,
                    client_id="bench-pub-0",
                    principal="bench",
                    timestamp_ms=1_700_000_000_000,
                    account_id="123456789012",
                    trace_id="5e2f5a70-8a3f-4f7c-b5d7-000000000000",
                )
            )
        evaluations += MESSAGES
    return evaluations / used


def main(arguments: Sequence[str]) -> None:
    """`SECONDS REPEAT`: the rates of every statement, as JSON on stdout. The statements take turns."""
    seconds, repeat = float(arguments[0]), int(arguments[1])
    for sql in STATEMENTS.values():
        rate(sql, 0.05)  # CPython specialises what has run a while
    gc.freeze()  # as the server does
    rates: Rates = {name: [] for name in STATEMENTS}
    for _ in range(repeat):
        for name, sql in STATEMENTS.items():
            rates[name].append(rate(sql, seconds))
    sys.stdout.buffer.write(msgspec.json.encode(rates))


if __name__ == "__main__":
    main(sys.argv[1:])
