"""A short torture of Fogbank in every run of the tests; the long one is `python -m tests.torture`.

And the proof that the torture finds what it looks for: Mosquitto saves once a second, so that a kill must cost messages
it had acknowledged; and where it is asked to end, which it does after saving, there must be no finding.
"""

import collections
import secrets
from pathlib import Path

import pytest
from tests.torture.campaign import Campaign, Habits, Tally
from tests.torture.findings import Fault
from tests.torture.rule import Rule
from tests.torture.sink import Sink
from tests.torture.victims import Fogbank, Mosquitto, mosquitto_path

MOSQUITTO = mosquitto_path()
with_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")


class Politely(Mosquitto):
    """Ends as it should where it would be killed."""

    async def kill(self) -> None:
        await self.stop()


def show(tally: Tally) -> str:
    kinds = collections.Counter(finding.fault.value for finding in tally.findings)
    return "\n".join([str(dict(kinds)), *map(str, tally.findings[:3])])


@pytest.mark.parametrize("limits", ["open", "aws"])
async def test_nothing_acknowledged_is_lost(limits: str, tmp_path: Path) -> None:
    seed = secrets.token_hex(4)
    print(f"seed {seed}")
    tally = await Campaign(Fogbank(tmp_path, limits), seed, Habits(qos2=limits == "open")).run(2)
    assert not tally.findings, show(tally)
    assert tally.messages > 50


async def test_a_rule_sends_whatever_was_acknowledged(tmp_path: Path) -> None:
    seed = secrets.token_hex(4)
    print(f"seed {seed}")
    with Sink() as sink:
        broker = Fogbank(tmp_path, "open", sink.environment)
        tally = await Campaign(broker, seed, Habits(), Rule(broker, sink)).run(2)
    assert not tally.findings, show(tally)
    assert tally.messages > 50


@with_mosquitto
async def test_a_broker_that_forgets_is_found_out(tmp_path: Path) -> None:
    assert MOSQUITTO is not None
    tally = await Campaign(Mosquitto(tmp_path, MOSQUITTO), "a", Habits(patience=0.3)).run(3)
    assert {Fault.MESSAGE_LOST, Fault.SESSION_LOST} <= {finding.fault for finding in tally.findings}


@with_mosquitto
async def test_a_broker_that_is_asked_to_end_is_not_accused(tmp_path: Path) -> None:
    assert MOSQUITTO is not None
    # Version 2.0.11 saves neither shared subscriptions nor sessions that began with a clean start, and restores
    # messages for which it awaits PUBCOMP as new ones. Wills end with it.
    habits = Habits(qos2=False, shared=False, wills=False, start_over=False)
    tally = await Campaign(Politely(tmp_path, MOSQUITTO), "a", habits).run(4)
    assert not tally.findings, show(tally)
    assert tally.messages > 100
