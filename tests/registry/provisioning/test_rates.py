"""AWS's rates: bind, warn, or are none."""

import logging

import pytest

from fogbank.registry.provisioning.rates import PER_SECOND, Asked, ProvisioningRates
from fogbank.settings import Limits
from fogbank.testing import FakeClock

EACH = pytest.mark.parametrize("asked", Asked)


def take(rates: ProvisioningRates, asked: Asked, count: int) -> int:
    return sum(rates.take(asked, "c") for _ in range(count))


def test_the_rates_are_those_of_the_general_reference() -> None:
    assert PER_SECOND == {Asked.CREATE_KEYS: 10, Asked.CREATE_FROM_CSR: 20, Asked.REGISTER_THING: 10}


@EACH
async def test_strict_they_bind_each_for_itself(clock: FakeClock, asked: Asked) -> None:
    rates = ProvisioningRates(Limits.STRICT, clock)
    for other in Asked:
        assert take(rates, other, 100) == PER_SECOND[other]
    await clock.advance(0.5)
    assert take(rates, asked, 100) == PER_SECOND[asked] // 2
    await clock.advance(3600)
    assert take(rates, asked, 100) == PER_SECOND[asked]


@EACH
def test_otherwise_who_passes_one_is_named_once(
    clock: FakeClock, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    rates = ProvisioningRates(Limits.AWS, clock)
    with caplog.at_level(logging.WARNING):
        assert take(rates, asked, PER_SECOND[asked]) == PER_SECOND[asked]
        assert not caplog.records
        assert take(rates, asked, 50) == 50
    [record] = caplog.records
    assert "'c'" in record.getMessage()
    assert asked.value in record.getMessage()


@EACH
def test_open_there_are_none(clock: FakeClock, asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    assert take(ProvisioningRates(Limits.OPEN, clock), asked, 100) == 100
    assert not caplog.records
