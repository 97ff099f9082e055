"""What the platform itself counts, at an instant: `GET /_fogbank/metrics`, and the CPU time of its process."""

import os
import re
import time
import urllib.request
from pathlib import Path

import msgspec

from bench.broker import Broker
from bench.driver import RunError

PATH = "/_fogbank/metrics"
PATIENCE = 20.0
"""Seconds for one answer: a platform that is busy answers late."""

MATCHED = "fogbank_rule_topic_match_total"
FIRED = "fogbank_rule_executed_total"
BROKEN = "fogbank_rule_broken_total"

_COUNT = re.compile(r'^(\w+)\{rule="[^"]*"\} (\d+)$', re.MULTILINE)


class Reading(msgspec.Struct, frozen=True):
    """All rules together."""

    at: float
    """Seconds on the monotonic clock."""
    cpu: float
    """Seconds, user and system."""
    matched: int
    fired: int
    broken: int

    def rate(self, earlier: "Reading") -> float:
        """Messages decided per second since."""
        return (self.matched - earlier.matched) / (self.at - earlier.at)

    def cost(self, earlier: "Reading") -> float:
        """Microseconds of CPU time per message since."""
        return (self.cpu - earlier.cpu) * 1e6 / max(1, self.matched - earlier.matched)


def read(broker: Broker) -> Reading:
    """What is so now. Raises RunError."""
    text = _page(broker)
    now, cpu = time.monotonic(), cpu_seconds(broker.plain.pid)
    totals: dict[str, int] = {}
    for name, count in _COUNT.findall(text):
        totals[name] = totals.get(name, 0) + int(count)
    try:
        return Reading(now, cpu, totals[MATCHED], totals[FIRED], totals[BROKEN])
    except KeyError as error:
        raise RunError(f"its metrics do not tell {error}") from None


def _page(broker: Broker) -> str:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    api = broker.api
    if api is None:
        raise RunError("it has no API that would tell what it counts")
    signed = AWSRequest("GET", f"{api.url}{PATH}")
    SigV4Auth(Credentials(api.access_key_id, api.secret_access_key), "iot", api.region).add_auth(signed)
    request = urllib.request.Request(f"{api.url}{PATH}", headers=dict(signed.headers.items()))
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return str(answer.read(), "utf-8")
    except OSError as error:
        raise RunError(f"its metrics could not be read: {error}") from error


def cpu_seconds(pid: int) -> float:
    """What a process has used, all threads (proc(5), /proc/PID/stat, utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
