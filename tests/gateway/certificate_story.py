"""CAs of one's own, the certificates that they have signed, transfers, and role aliases, as boto3 sees them."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from fogbank.cli.own_authority import OwnAuthority, named

OTHER_ACCOUNT = "210987654321"
ROLE = "arn:aws:iam::123456789012:role/camera"


def tell(iot: Any) -> None:
    ca = _authorities(iot)
    _certificates(iot, ca)
    _transfers(iot)
    _role_aliases(iot)


def _authorities(iot: Any) -> OwnAuthority:
    own = OwnAuthority.make("factory", 100)
    before = iot.get_registration_code()["registrationCode"]
    iot.delete_registration_code()
    code = iot.get_registration_code()["registrationCode"]
    assert code != before
    made = iot.register_ca_certificate(
        caCertificate=own.pem.decode(), verificationCertificate=own.verification(code), setAsActive=True
    )
    iot.update_ca_certificate(certificateId=made["certificateId"], newAutoRegistrationStatus="ENABLE")
    described = iot.describe_ca_certificate(certificateId=made["certificateId"])["certificateDescription"]
    assert (described["status"], described["autoRegistrationStatus"]) == ("ACTIVE", "ENABLE")
    assert [one["certificateId"] for one in iot.list_ca_certificates()["certificates"]] == [made["certificateId"]]
    spare = OwnAuthority.make("spare", 100)
    gone = iot.register_ca_certificate(caCertificate=spare.pem.decode(), certificateMode="SNI_ONLY")
    iot.delete_ca_certificate(certificateId=gone["certificateId"])
    with pytest.raises(iot.exceptions.ResourceNotFoundException):
        iot.describe_ca_certificate(certificateId=gone["certificateId"])
    return own


def _certificates(iot: Any, own: OwnAuthority) -> None:
    signed = own.issue(named("lamp"), ec.generate_private_key(ec.SECP256R1()).public_key(), 10)
    made = iot.register_certificate(certificatePem=signed, setAsActive=False)
    [ca] = iot.list_ca_certificates()["certificates"]
    [listed] = iot.list_certificates_by_ca(caCertificateId=ca["certificateId"])["certificates"]
    assert listed["certificateId"] == made["certificateId"]
    stranger = OwnAuthority.make("nobody's", 10)
    alone = stranger.issue(named("sensor"), ec.generate_private_key(ec.SECP256R1()).public_key(), 10)
    kept = iot.register_certificate_without_ca(certificatePem=alone, status="INACTIVE")
    described = iot.describe_certificate(certificateId=kept["certificateId"])["certificateDescription"]
    assert (described["certificateMode"], described["status"]) == ("SNI_ONLY", "INACTIVE")
    assert x509.load_pem_x509_certificate(described["certificatePem"].encode()).subject == named("sensor")


def _transfers(iot: Any) -> None:
    made = iot.create_keys_and_certificate(setAsActive=False)["certificateId"]
    iot.transfer_certificate(certificateId=made, targetAwsAccount=OTHER_ACCOUNT, transferMessage="yours now")
    [outgoing] = iot.list_outgoing_certificates()["outgoingCertificates"]
    assert (outgoing["certificateId"], outgoing["transferredTo"]) == (made, OTHER_ACCOUNT)
    for call in (iot.accept_certificate_transfer, iot.reject_certificate_transfer):
        with pytest.raises(iot.exceptions.ResourceNotFoundException):  # they are the other account's to call
            call(certificateId=made)
    iot.cancel_certificate_transfer(certificateId=made)
    assert iot.list_outgoing_certificates()["outgoingCertificates"] == []


def _role_aliases(iot: Any) -> None:
    made = iot.create_role_alias(roleAlias="camera", roleArn=ROLE, credentialDurationSeconds=900)
    assert made["roleAliasArn"].endswith(":rolealias/camera")
    iot.update_role_alias(roleAlias="camera", credentialDurationSeconds=1800)
    described = iot.describe_role_alias(roleAlias="camera")["roleAliasDescription"]
    assert (described["roleArn"], described["credentialDurationSeconds"]) == (ROLE, 1800)
    assert iot.list_role_aliases()["roleAliases"] == ["camera"]
    iot.delete_role_alias(roleAlias="camera")
    assert iot.list_role_aliases()["roleAliases"] == []
