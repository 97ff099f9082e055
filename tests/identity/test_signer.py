import pytest

from fogbank.arns import Arns
from fogbank.awswire.errors import UnrecognizedClient
from fogbank.identity.signer import RootSigners
from fogbank.settings import AccessKey


async def test_a_signer_is_known_as_long_as_its_key_stays_the_same() -> None:
    keys = {"AK": AccessKey("AK", "one")}
    signers = RootSigners(keys.get, Arns("us-east-1", "123456789012"))
    first = await signers.find("AK", None)
    assert (first.key.secret, first.root) == ("one", True)
    assert await signers.find("AK", None) is first
    keys["AK"] = AccessKey("AK", "two")
    assert (await signers.find("AK", None)).key.secret == "two"
    del keys["AK"]
    with pytest.raises(UnrecognizedClient):
        await signers.find("AK", None)


async def test_the_keys_of_the_root_have_no_session() -> None:
    signers = RootSigners(lambda key_id: AccessKey(key_id, "one"), Arns("us-east-1", "123456789012"))
    with pytest.raises(UnrecognizedClient):
        await signers.find("AK", "a token")
