"""A short flood of shadows in every run of the tests; the long one is `python -m tests.torture --shadows`."""

import secrets
from pathlib import Path

import pytest
from tests.torture.shadows import Flood
from tests.torture.victims import Fogbank


@pytest.mark.parametrize("limits", ["open", "aws"])
async def test_no_accepted_update_is_lost(limits: str, tmp_path: Path) -> None:
    seed = secrets.token_hex(4)
    print(f"seed {seed}")
    tally = await Flood(Fogbank(tmp_path, limits), seed).run(3)
    assert not tally.findings, "\n".join(map(str, tally.findings[:5]))
    assert tally.updates > 50
