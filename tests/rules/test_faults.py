import logging

import pytest

from fogbank.rules.faults import QUIET, Faults
from fogbank.testing import FakeClock


def test_each_fault_is_told_when_it_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    faults = Faults(logging.getLogger("test"), "r")
    faults.clear("a")
    faults.report("a", "first")
    faults.report("a", "second")
    faults.report("b", "third")
    faults.clear("a")
    faults.clear("a")
    faults.report("a", "fourth")
    assert caplog.messages == [
        "rule r: a: first",
        "rule r: b: third",
        "rule r: a: works again",
        "rule r: a: fourth",
    ]


async def test_what_comes_and_goes_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    faults = Faults(logging.getLogger("test"), "r", clock)
    for _ in range(100):
        faults.report("sqs q", "busy")
        faults.clear("sqs q")
    assert len(caplog.messages) == 2
    faults.report("sqs q", "dead")
    await clock.advance(QUIET - 1)
    faults.report("sqs q", "dead")
    assert len(caplog.messages) == 2
    await clock.advance(1)
    faults.report("sqs q", "dead")
    faults.report("sqs q", "dead")
    assert caplog.messages[2:] == ["rule r: sqs q: dead"]
    faults.report("s3 b", "gone")
    faults.clear("sqs q")
    assert caplog.messages[3:] == ["rule r: s3 b: gone", "rule r: sqs q: works again"]
