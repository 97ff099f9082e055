import re

import pytest

from fogbank.errors import ResourceNotFound
from fogbank.registry.registry import Registry


async def test_it_is_64_hex_digits_and_stays(registry: Registry) -> None:
    code = await registry.registration_codes.get()
    assert re.fullmatch(r"[0-9a-f]{64}", code)
    assert await registry.registration_codes.get() == code
    assert await registry.registration_codes.matches(code)
    assert not await registry.registration_codes.matches(code[:-1] + "é")


async def test_deleted_it_is_worth_nothing_and_another_is_made(registry: Registry) -> None:
    code = await registry.registration_codes.get()
    await registry.registration_codes.delete()
    assert not await registry.registration_codes.matches(code)
    with pytest.raises(ResourceNotFound):
        await registry.registration_codes.delete()
    assert await registry.registration_codes.get() != code
