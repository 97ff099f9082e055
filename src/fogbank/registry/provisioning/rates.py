"""AWS's rates of what devices ask for when they are provisioned, for the account (general reference, IoT Core fleet
provisioning limits). A burst is at most a second's worth.

Under `--limits strict` they bind; under `--limits aws` the first who passes one is named in the log, and served; under
`--limits open` there are none.
"""

import enum
import logging

from fogbank.clock import Clock
from fogbank.settings import Limits

log = logging.getLogger(__name__)


class Asked(enum.Enum):
    """What is asked for, by the name that AWS's quotas give it."""

    CREATE_KEYS = "CreateKeysAndCertificate"
    CREATE_FROM_CSR = "CreateCertificateFromCsr"
    REGISTER_THING = "RegisterThing"


PER_SECOND = {Asked.CREATE_KEYS: 10, Asked.CREATE_FROM_CSR: 20, Asked.REGISTER_THING: 10}


class ProvisioningRates:
    """Counts requests as they come."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._level = {asked: float(rate) for asked, rate in PER_SECOND.items()}
        self._filled_at = dict.fromkeys(PER_SECOND, clock.monotonic())
        self._told: set[Asked] = set()

    def take(self, asked: Asked, client_id: str | None) -> bool:
        """Whether one more may be served now."""
        if self._limits is Limits.OPEN:
            return True
        now, rate = self._clock.monotonic(), PER_SECOND[asked]
        level = min(rate, self._level[asked] + (now - self._filled_at[asked]) * rate)
        self._filled_at[asked] = now
        self._level[asked] = max(level - 1, 0.0) if level >= 1 else level
        if level >= 1:
            return True
        if self._limits is Limits.STRICT:
            return False
        if asked not in self._told:
            self._told.add(asked)
            log.warning("client %r passed AWS's rate of %s, %d a second", client_id, asked.value, rate)
        return True
