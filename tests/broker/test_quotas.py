"""The one table of limits: AWS's figures, each beside its source, and what binds under which `--limits`."""

import inspect
import re

import msgspec
import pytest

from fogbank.broker import quotas
from fogbank.broker.quotas import AWS, AWS_RATES, OPEN, STRICT, Rates
from fogbank.settings import Limits

FIGURES = {
    "connects": 3000,
    "connects_per_client": 1,
    "connection_publishes": 100,
    "connection_bytes": 524_288,
    "inbound_publishes": 20_000,
    "outbound_publishes": 20_000,
    "subscriptions": 3000,
    "retained_publishes": 500,
    "retained_publishes_per_topic": 1,
    "queued_messages": 500,
    "replayed_messages": 10,
    "shared_messages": 20,
    "connection_calls": 100,
    "connection_calls_per_client": 1,
    "direct_messages": 20_000,
}
"""AWS General Reference, "AWS IoT Core message broker and protocol limits and quotas", read a second time."""


@pytest.mark.parametrize(("limits", "table"), [(Limits.AWS, AWS), (Limits.STRICT, STRICT), (Limits.OPEN, OPEN)])
def test_which_table_binds(limits: Limits, table: quotas.Quotas) -> None:
    assert quotas.quotas(limits) is table


def test_rates_are_the_same_whether_they_bind_or_not() -> None:
    assert OPEN.rates is None
    assert AWS.rates == AWS_RATES
    assert STRICT.rates == msgspec.structs.replace(AWS_RATES, enforced=True)
    assert msgspec.structs.replace(STRICT, rates=AWS_RATES) == AWS


def test_the_figures() -> None:
    assert msgspec.structs.asdict(AWS_RATES) == {"enforced": False, **FIGURES}


def test_each_rate_names_its_source() -> None:
    table = re.search(r"^AWS_RATES = Rates\((.*?)^\)", inspect.getsource(quotas), re.MULTILINE | re.DOTALL)
    assert table is not None
    sourced = re.findall(r"^    (\w+)=.+  # \[(?:GR|DG)\] \S", table[1], re.MULTILINE)
    assert sorted(sourced) == sorted(name for name in Rates.__struct_fields__ if name != "enforced")
