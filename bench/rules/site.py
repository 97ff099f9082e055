"""Where and how long the rules engine is measured."""

import functools
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from bench.affinity import Cores
from bench.broker import Broker, Setup, Starter
from bench.driver import Outcome, drive
from bench.scenario import Scenario


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What all of these measurements are given."""

    generator: Path
    directory: Path
    fogbank: Starter
    cores: Cores
    seconds: float
    warm_up: float
    repeat: int
    count: int
    """Messages of a run that ends with its last one."""

    def start(self, name: str, setup: Setup | None = None) -> AbstractContextManager[Broker]:
        """A Fogbank for the purpose."""
        return self.fogbank(self.directory / name, self.cores.broker, setup or Setup())

    def drive(self, scenario: Scenario, broker: Broker, *, seconds: float | None = None) -> Outcome:
        """The scenario once. Raises RunError."""
        endpoint = broker.endpoint(tls=scenario.tls)
        assert endpoint is not None
        run = functools.partial(drive, self.generator, scenario, endpoint, core=self.cores.generator)
        if seconds is not None:
            return run(seconds=seconds, warm_up=0)
        return run(seconds=self.seconds, warm_up=self.warm_up)
