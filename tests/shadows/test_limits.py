import pytest

from fogbank.settings import Limits
from fogbank.shadows.limits import ShadowLimits


@pytest.mark.parametrize("limits", [Limits.AWS, Limits.STRICT])
def test_as_aws_has_them(limits: Limits) -> None:
    """AWS general reference, iot-core limits: Device Shadow."""
    found = ShadowLimits.of(limits)
    assert (found.document_bytes, found.depth, found.in_flight) == (8192, 8, 10)
    assert found.depth_told == 6  # device-shadow-error-messages


def test_open_still_has_bounds_on_what_comes_from_outside() -> None:
    found = ShadowLimits.of(Limits.OPEN)
    assert found.document_bytes > 8192
    assert found.depth > 8
    assert found.in_flight is None
    assert found.pending_bytes == ShadowLimits.of(Limits.AWS).pending_bytes
