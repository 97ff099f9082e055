import logging

import pytest

from fogbank.rules.faults import Faults


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
