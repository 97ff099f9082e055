"""`POST /_fogbank/certificates/crl` on a socket: who may, what is asked and what is answered."""

from pathlib import Path

import pytest
from tests.gateway.toy import ARNS, send, serving
from tests.registry import pki
from tests.registry.published import Published

from fogbank.awswire.http import Request
from fogbank.gateway.revocation_lists import RevocationLists
from fogbank.ports import Identity
from fogbank.registry.own_ca import OwnCa
from fogbank.registry.records import CertificateMode
from fogbank.registry.registry import Registry
from fogbank.storage.memory import MemoryDocuments
from fogbank.testing.clock import FakeClock

PATH = "/_fogbank/certificates/crl"
DEVICE = Identity("c", ARNS.iot("cert", "c"), active=True)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    clock = FakeClock()
    return Registry(MemoryDocuments(), ARNS, clock, OwnCa(tmp_path / "ca", clock).devices, Published())


async def test_the_outcome(registry: Registry) -> None:
    ca = pki.Authority()
    made = await registry.ca_certificates.register(ca.pem, mode=CertificateMode.SNI_ONLY, active=True)
    await registry.certificate_registration.register(pki.pem(ca.issue(serial=1)))
    async with serving(pages=[RevocationLists(registry.revocation).page]) as toy:
        answer = await send(toy.port, toy.signed("POST", PATH, body=pki.crl_pem(ca.revoke(1, 2, number=3))))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == {
        "caCertificateIds": [made.id],
        "thisUpdate": pki.START.timestamp(),
        "number": 3,
        "entries": 2,
        "revoked": 1,
    }


async def test_what_is_no_list_is_an_error(registry: Registry) -> None:
    async with serving(pages=[RevocationLists(registry.revocation).page]) as toy:
        answer = await send(toy.port, toy.signed("POST", PATH, body=b"no list"))
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (400, "certificatevalidationexception")


async def test_neither_strangers_nor_devices_may(registry: Registry) -> None:
    page = RevocationLists(registry.revocation).page
    for identity in (None, DEVICE):
        async with serving(identity, pages=[page]) as toy:
            answer = await send(toy.port, Request("POST", PATH, "", {"host": "x"}, b"x"))
        assert answer.status in (403, 404)
