import logging

import msgspec
import pytest

from fogbank.settings import Limits
from fogbank.shadows.limits import ShadowLimits
from fogbank.shadows.rates import FORGIVEN, NAMED, ShadowRates
from fogbank.shadows.topics import ShadowId
from fogbank.testing import FakeClock

LAMP = ShadowId("lamp")


def admitted(rates: ShadowRates, count: int, shadow: ShadowId = LAMP) -> int:
    return sum(rates.admit(shadow) for _ in range(count))


async def test_twenty_a_second_to_a_shadow_where_rates_bind(caplog: pytest.LogCaptureFixture) -> None:
    """AWS general reference, iot-core limits: Device Shadow."""
    clock = FakeClock()
    rates = ShadowRates(ShadowLimits.of(Limits.STRICT), clock)
    assert admitted(rates, 30) == 20
    assert admitted(rates, 30, ShadowId("lamp", "night")) == 20
    await clock.advance(1)
    assert admitted(rates, 30) == 20
    assert caplog.messages == [
        "shadow lamp: more than 20 requests a second; the excess is refused",
        "shadow lamp/night: more than 20 requests a second; the excess is refused",
    ]


async def test_and_4000_to_all_together() -> None:
    clock = FakeClock()
    rates = ShadowRates(ShadowLimits.of(Limits.STRICT), clock)
    assert sum(admitted(rates, 20, ShadowId(f"t{number}")) for number in range(250)) == 4000
    await clock.advance(1)
    assert admitted(rates, 1) == 1


async def test_else_who_goes_on_and_on_is_named_and_served(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    rates = ShadowRates(ShadowLimits.of(Limits.AWS), clock)
    assert admitted(rates, 20 * FORGIVEN) == 20 * FORGIVEN
    assert not caplog.records
    assert admitted(rates, 10) == 10
    await clock.advance(FORGIVEN)
    assert admitted(rates, 1000) == 1000
    assert caplog.messages == ["shadow lamp: more than 20 requests a second; with AWS IoT the excess is refused"]


def test_a_load_test_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    limits = msgspec.structs.replace(ShadowLimits.of(Limits.STRICT), rate=1)
    rates = ShadowRates(limits, FakeClock())
    for number in range(100):
        admitted(rates, 2, ShadowId(f"t{number}"))
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == NAMED


def test_open_has_no_rates(caplog: pytest.LogCaptureFixture) -> None:
    assert admitted(ShadowRates(ShadowLimits.of(Limits.OPEN), FakeClock()), 10_000) == 10_000
    assert not caplog.records
