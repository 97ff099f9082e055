"""CreateProvisioningClaim, held against botocore's model (see `test_iot_provisioning_templates`)."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from tests.gateway.test_iot_provisioning_templates import MADE, NOW, Iot, T
from tests.registry.provisioning.stage import JITP, body
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock


@pytest.fixture
def iot(tmp_path: Path) -> Iot:
    arns, clock = Arns("eu-west-1", "123456789012"), FakeClock(NOW)
    return Iot(Registry(MemoryDocuments(), arns, clock, OwnCa(tmp_path / "ca", clock).devices, Published()))


async def test_a_claim_is_a_certificate_with_its_keys_for_five_minutes(iot: Iot) -> None:
    await iot.call("CreateProvisioningTemplate", **MADE)
    claim = await iot.call("CreateProvisioningClaim", **T)
    assert claim.keys() == {"certificateId", "certificatePem", "keyPair", "expiration"}
    assert claim["expiration"] == NOW + 300
    certificate = x509.load_pem_x509_certificate(claim["certificatePem"].encode())
    private = load_pem_private_key(claim["keyPair"]["PrivateKey"].encode(), None)
    assert private.public_key() == certificate.public_key()
    assert load_pem_public_key(claim["keyPair"]["PublicKey"].encode()) == certificate.public_key()


async def test_there_are_none_for_just_in_time_provisioning(iot: Iot) -> None:
    await iot.call("CreateProvisioningTemplate", **MADE | {"templateBody": body(JITP)}, type="JITP")
    assert await iot.refused("CreateProvisioningClaim", **T) == "InvalidRequestException"
