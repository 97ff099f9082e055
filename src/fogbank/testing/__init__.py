"""What tests of Fogbank, and of applications built on it, are written with."""

from fogbank.testing.clock import FakeClock

__all__ = ["FakeClock"]
