"""How large, deep and many: the shadow service's quotas (AWS general reference, iot-core limits, Device Shadow)."""

import msgspec

from fogbank.settings import Limits


class ShadowLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds in force. None where there is none of the kind."""

    document_bytes: int
    """Of `desired` and `reported` as JSON, metadata not counted."""
    depth: int
    """Levels in `desired` or `reported`, which are the first; arrays count as objects do."""
    depth_told: int
    """What the error's text gives as the maximum. AWS's text is older than AWS's quota."""
    request_bytes: int
    """Of one request: what MQTT carries at AWS."""
    in_flight: int | None
    """Unanswered requests per thing and connection."""
    rate: int | None
    """Requests a second to one shadow."""
    account_rate: int = 4000
    """Requests a second to all of them; 400 in AWS's smaller regions."""
    rates_bind: bool = False
    """Whether what is more than a rate is refused; else it is served, and named in the log."""
    pending_bytes: int = 32 * 2**20
    """Of all unanswered requests that came over MQTT, together: our own bound on memory."""

    @classmethod
    def of(cls, limits: Limits) -> "ShadowLimits":
        """The bounds for the instance's choice."""
        if limits is Limits.OPEN:
            return cls(
                document_bytes=2**20, depth=100, depth_told=100, request_bytes=2 * 2**20, in_flight=None, rate=None
            )
        return cls(
            document_bytes=8 * 2**10,
            depth=8,
            depth_told=6,
            request_bytes=128 * 2**10,
            in_flight=10,
            rate=20,
            rates_bind=limits is Limits.STRICT,
        )
