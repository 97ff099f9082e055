"""CAs, registered certificates and transfers, held against botocore's model."""

from pathlib import Path
from typing import Any

import pytest
from tests.gateway.modelled import Iot, iot_model
from tests.registry import pki
from tests.registry.published import Published

from fogbank.arns import Arns
from fogbank.gateway.call import Members
from fogbank.gateway.iot_ca_certificates import IotCaCertificatesApi
from fogbank.gateway.iot_certificate_transfers import IotCertificateTransfersApi
from fogbank.gateway.iot_certificates import IotCertificatesApi
from fogbank.gateway.iot_tags import IotTagsApi
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing import FakeClock

NOW = 1_700_000_000.0
NOBODY = "0" * 64
ARN = "arn:aws:iot:eu-west-1:123456789012:"
THERE = "111111111111"


@pytest.fixture
def iot(tmp_path: Path) -> Iot:
    clock = FakeClock(NOW)
    arns = Arns("eu-west-1", "123456789012")
    registry = Registry(MemoryDocuments(), arns, clock, OwnCa(tmp_path / "ca", clock).devices, Published())
    apis: list[object] = [
        IotCertificatesApi(registry),
        IotCaCertificatesApi(registry),
        IotCertificateTransfersApi(registry),
        IotTagsApi(registry),
    ]
    return Iot(apis, iot_model())


@pytest.fixture
def ca() -> pki.Authority:
    return pki.Authority()


@pytest.fixture
async def ca_id(iot: Iot, ca: pki.Authority) -> str:
    code = (await iot.call("GetRegistrationCode"))["registrationCode"]
    made = await iot.call(
        "RegisterCACertificate",
        caCertificate=ca.pem,
        verificationCertificate=ca.verification(code),
        setAsActive=True,
        allowAutoRegistration=True,
        tags=[{"Key": "site", "Value": "north"}],
    )
    assert made["certificateArn"] == f"{ARN}cacert/{made['certificateId']}"
    return str(made["certificateId"])


async def test_cas(iot: Iot, ca: pki.Authority, ca_id: str) -> None:
    found = await iot.call("DescribeCACertificate", certificateId=ca_id)
    description = found.pop("certificateDescription")
    assert found == {}
    description.pop("generationId")
    assert description == {
        "certificateArn": f"{ARN}cacert/{ca_id}",
        "certificateId": ca_id,
        "status": "ACTIVE",
        "certificatePem": ca.pem,
        "ownedBy": "123456789012",
        "creationDate": NOW,
        "autoRegistrationStatus": "ENABLE",
        "lastModifiedDate": NOW,
        "customerVersion": 1,
        "validity": {"notBefore": pki.START.timestamp(), "notAfter": pki.END.timestamp()},
        "certificateMode": "DEFAULT",
    }
    listed = {name: description[name] for name in ("certificateArn", "certificateId", "status", "creationDate")}
    assert await iot.call("ListCACertificates", ascendingOrder=True, pageSize=5) == {"certificates": [listed]}
    assert await iot.call("ListCACertificates", templateName="other") == {"certificates": []}
    tags = await iot.call("ListTagsForResource", resourceArn=f"{ARN}cacert/{ca_id}")
    assert tags == {"tags": [{"Key": "site", "Value": "north"}]}


async def test_what_updating_a_ca_does(iot: Iot, ca_id: str) -> None:
    config = {"templateBody": "{}", "roleArn": "arn:aws:iam::123456789012:role/provisioning-role"}
    await iot.call(
        "UpdateCACertificate",
        certificateId=ca_id,
        newStatus="INACTIVE",
        newAutoRegistrationStatus="DISABLE",
        registrationConfig=config,
    )
    found = await iot.call("DescribeCACertificate", certificateId=ca_id)
    assert found["registrationConfig"] == config
    description = found["certificateDescription"]
    assert (description["status"], description["autoRegistrationStatus"]) == ("INACTIVE", "DISABLE")
    await iot.call("UpdateCACertificate", certificateId=ca_id, registrationConfig={"templateName": "factory"})
    found = await iot.call("DescribeCACertificate", certificateId=ca_id)
    assert found["registrationConfig"] == {"templateName": "factory"}
    assert len((await iot.call("ListCACertificates", templateName="factory"))["certificates"]) == 1
    await iot.call("UpdateCACertificate", certificateId=ca_id, removeAutoRegistration=True)
    assert "registrationConfig" not in await iot.call("DescribeCACertificate", certificateId=ca_id)
    assert await iot.call("DeleteCACertificate", certificateId=ca_id) == {}
    assert await iot.call("DeleteRegistrationCode") == {}


async def test_certificates_of_a_ca(iot: Iot, ca: pki.Authority, ca_id: str) -> None:
    pem = pki.pem(ca.issue())
    made = await iot.call("RegisterCertificate", certificatePem=pem, caCertificatePem=ca.pem, setAsActive=True)
    described = await iot.call("DescribeCertificate", certificateId=made["certificateId"])
    description = described["certificateDescription"]
    assert (description["caCertificateId"], description["status"]) == (ca_id, "ACTIVE")
    assert (description["certificateMode"], description["certificatePem"]) == ("DEFAULT", pem)
    page = await iot.call("ListCertificatesByCA", caCertificateId=ca_id, pageSize=1, ascendingOrder=True)
    assert page == await iot.call("ListCertificates")
    assert page["certificates"][0]["certificateArn"] == made["certificateArn"]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, "INACTIVE"),
        ({"status": "ACTIVE"}, "ACTIVE"),
        ({"status": "REGISTER_INACTIVE"}, "INACTIVE"),
        ({"status": "REVOKED"}, "REVOKED"),
        ({"setAsActive": True}, "ACTIVE"),
        ({"setAsActive": True, "status": "ACTIVE"}, "ACTIVE"),
        ({"setAsActive": False, "status": "ACTIVE"}, "ACTIVE"),
    ],
)
async def test_the_status_to_begin_with(
    iot: Iot, ca: pki.Authority, ca_id: str, params: dict[str, Any], status: str
) -> None:
    made = await iot.call("RegisterCertificate", certificatePem=pki.pem(ca.issue()), **params)
    described = await iot.call("DescribeCertificate", certificateId=made["certificateId"])
    assert described["certificateDescription"]["status"] == status


async def test_without_a_ca(iot: Iot, ca: pki.Authority) -> None:
    made = await iot.call("RegisterCertificateWithoutCA", certificatePem=pki.pem(ca.issue()), status="ACTIVE")
    described = await iot.call("DescribeCertificate", certificateId=made["certificateId"])
    description = described["certificateDescription"]
    assert (description["status"], description["certificateMode"]) == ("ACTIVE", "SNI_ONLY")
    assert "caCertificateId" not in description


@pytest.fixture
async def device_id(iot: Iot, ca: pki.Authority) -> str:
    made = await iot.call("RegisterCertificateWithoutCA", certificatePem=pki.pem(ca.issue()))
    return str(made["certificateId"])


async def test_transfers(iot: Iot, device_id: str) -> None:
    began = await iot.call(
        "TransferCertificate", certificateId=device_id, targetAwsAccount=THERE, transferMessage="yours"
    )
    assert began == {"transferredCertificateArn": f"arn:aws:iot:eu-west-1:{THERE}:cert/{device_id}"}
    described = await iot.call("DescribeCertificate", certificateId=device_id)
    assert described["certificateDescription"]["transferData"] == {"transferMessage": "yours", "transferDate": NOW}
    assert await iot.call("ListOutgoingCertificates", pageSize=1) == {
        "outgoingCertificates": [
            {
                "certificateArn": f"{ARN}cert/{device_id}",
                "certificateId": device_id,
                "transferredTo": THERE,
                "transferDate": NOW,
                "transferMessage": "yours",
                "creationDate": NOW,
            }
        ]
    }
    assert await iot.call("CancelCertificateTransfer", certificateId=device_id) == {}
    assert await iot.call("ListOutgoingCertificates") == {"outgoingCertificates": []}


STRANGER = pki.pem(pki.Authority("Elsewhere").issue())


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [
        ("DeleteCACertificate", {"certificateId": NOBODY}, "ResourceNotFoundException"),
        ("DescribeCACertificate", {"certificateId": NOBODY}, "ResourceNotFoundException"),
        ("UpdateCACertificate", {"certificateId": NOBODY}, "ResourceNotFoundException"),
        ("DeleteCACertificate", {"certificateId": "CA"}, "CertificateStateException"),
        ("RegisterCACertificate", {"caCertificate": "x"}, "InvalidRequestException"),
        (
            "RegisterCACertificate",
            {"caCertificate": "x", "certificateMode": "SNI_ONLY"},
            "CertificateValidationException",
        ),
        (
            "RegisterCACertificate",
            {"caCertificate": "PEM", "certificateMode": "SNI_ONLY"},
            "ResourceAlreadyExistsException",
        ),
        (
            "RegisterCACertificate",
            {"caCertificate": "PEM", "verificationCertificate": "PEM"},
            "RegistrationCodeValidationException",
        ),
        ("RegisterCertificate", {"certificatePem": "x"}, "CertificateValidationException"),
        ("RegisterCertificate", {"certificatePem": STRANGER}, "CertificateValidationException"),
        ("RegisterCertificate", {"certificatePem": "DEVICE"}, "ResourceAlreadyExistsException"),
        ("RegisterCertificate", {"certificatePem": STRANGER, "status": "PENDING_TRANSFER"}, "InvalidRequestException"),
        (
            "RegisterCertificate",
            {"certificatePem": STRANGER, "status": "REVOKED", "setAsActive": True},
            "InvalidRequestException",
        ),
        ("RegisterCertificateWithoutCA", {"certificatePem": "x"}, "CertificateValidationException"),
        ("RegisterCertificateWithoutCA", {"certificatePem": "DEVICE"}, "ResourceAlreadyExistsException"),
        ("TransferCertificate", {"certificateId": NOBODY, "targetAwsAccount": THERE}, "ResourceNotFoundException"),
        ("TransferCertificate", {"certificateId": "ID", "targetAwsAccount": "123456789012"}, "InvalidRequestException"),
        ("AcceptCertificateTransfer", {"certificateId": "ID"}, "ResourceNotFoundException"),
        ("RejectCertificateTransfer", {"certificateId": "ID"}, "ResourceNotFoundException"),
        ("CancelCertificateTransfer", {"certificateId": "ID"}, "ResourceNotFoundException"),
        ("ListCertificatesByCA", {"caCertificateId": NOBODY, "marker": "AAAA"}, "InvalidRequestException"),
    ],
)
async def test_errors(
    iot: Iot, ca: pki.Authority, ca_id: str, device_id: str, name: str, params: dict[str, Any], code: str
) -> None:
    pem = (await iot.call("DescribeCertificate", certificateId=device_id))["certificateDescription"]["certificatePem"]
    known: Members = {"CA": ca_id, "ID": device_id, "PEM": ca.pem, "DEVICE": pem}
    assert await iot.refused(name, **{key: known.get(value, value) for key, value in params.items()}) == code


async def test_there_is_no_code_to_delete_before_there_is_one(iot: Iot) -> None:
    assert await iot.refused("DeleteRegistrationCode") == "ResourceNotFoundException"
