"""Claims: certificates for five minutes that may have one kind of device made."""

import pytest
from cryptography import x509
from tests.registry.provisioning.stage import FLEET, JITP, ROLE, body

from fogbank.arns import Arns
from fogbank.broker.authorizer import Authorizer
from fogbank.errors import InvalidRequest, ResourceNotFound
from fogbank.ports import Identity
from fogbank.registry.provisioning.records import TemplateType
from fogbank.registry.records import CertificateStatus
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging
from fogbank.testing import FakeClock

CREATE = "$aws/certificates/create/json"
CSR = "$aws/certificates/create-from-csr/cbor"


async def authorizer(registry: Registry, arns: Arns, certificate: str) -> Authorizer:
    identity = await registry.principals.recheck(Identity(certificate, "", active=True))
    return Authorizer(arns, identity, await registry.principals.grant(identity, "device"), "device", None)


async def test_it_is_active_for_five_minutes_and_in_no_list(
    registry: Registry, clock: FakeClock, template: str
) -> None:
    certificate, keys, expires = await registry.provisioning_claims.create(template)
    assert expires == clock.time() + 300
    assert certificate.status is CertificateStatus.ACTIVE
    assert certificate.not_after == expires
    loaded = x509.load_pem_x509_certificate(certificate.pem.encode())
    assert loaded.not_valid_after_utc.timestamp() == expires
    assert "PRIVATE KEY" in keys.private_key
    assert (await registry.certificates.page(Paging())).items == []
    identity = Identity(certificate.id, "", active=True)
    assert (await registry.principals.recheck(identity)).active
    await clock.advance(301)
    assert not (await registry.principals.recheck(identity)).active
    assert (await registry.principals.grant(identity, "device")).policies == ()


async def test_its_rights_are_those_of_its_template(registry: Registry, arns: Arns, template: str) -> None:
    certificate, _, _ = await registry.provisioning_claims.create(template)
    rights = await authorizer(registry, arns, certificate.id)
    own = "$aws/provisioning-templates/T/provision/json"
    assert rights.connect(persistent=False, will_topic=None).allowed
    for topic in (CREATE, CSR, own):
        assert rights.publish(topic).allowed
        for answer in (f"{topic}/accepted", f"{topic}/rejected"):
            assert rights.subscribe(answer).allowed
            assert rights.receive(answer).allowed
    for topic in (
        "$aws/provisioning-templates/U/provision/json",
        "$aws/provisioning-templates/T2/provision/json",
        "$aws/things/lamp/shadow/update",
        "$aws/rules/r",
        "$aws/certificates/other/json",
        "a",
    ):
        assert not rights.publish(topic).allowed
        assert not rights.subscribe(topic).allowed
        assert not rights.receive(topic).allowed
    assert not rights.subscribe("#").allowed
    assert not rights.retain(CREATE).allowed


async def test_other_certificates_have_no_such_rights(registry: Registry, arns: Arns, csr: str) -> None:
    certificate = await registry.certificates.create_from_request(csr, active=True)
    rights = await authorizer(registry, arns, certificate.id)
    assert not rights.connect(persistent=False, will_topic=None).allowed


async def test_only_for_fleet_provisioning(registry: Registry) -> None:
    with pytest.raises(ResourceNotFound):
        await registry.provisioning_claims.create("T")
    await registry.provisioning_templates.create("T", body(JITP), ROLE, type_=TemplateType.JITP)
    with pytest.raises(InvalidRequest):
        await registry.provisioning_claims.create("T")


async def test_a_template_that_is_made_anew_gives_an_old_claim_nothing_more(registry: Registry, arns: Arns) -> None:
    """Rights are to topics, which a template of the same name takes over: as at AWS, where a policy would."""
    await registry.provisioning_templates.create("T", body(FLEET), ROLE)
    certificate, _, _ = await registry.provisioning_claims.create("T")
    await registry.provisioning_templates.delete("T")
    rights = await authorizer(registry, arns, certificate.id)
    assert rights.publish("$aws/provisioning-templates/T/provision/json").allowed
