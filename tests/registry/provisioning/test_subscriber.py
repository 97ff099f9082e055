"""The MQTT side: who is answered, in which format, and that a flood is bounded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import cbor2
import msgspec
import pytest
from tests.registry.provisioning.stage import DEVICE, HOOK, OTHER, Connections, Functions, question

from fogbank.message import Origin
from fogbank.registry.provisioning import subscriber as module
from fogbank.registry.provisioning.fleet import FleetProvisioning
from fogbank.registry.provisioning.rates import ProvisioningRates
from fogbank.registry.provisioning.records import Hook
from fogbank.registry.provisioning.subscriber import ProvisioningSubscriber
from fogbank.registry.registry import Registry
from fogbank.settings import Limits
from fogbank.storage.paging import Paging
from fogbank.testing import FakeClock
from fogbank.trace import Trace, TraceEvent

CREATE = "$aws/certificates/create"
CSR = "$aws/certificates/create-from-csr"
PROVISION = "$aws/provisioning-templates/T/provision"
Codec = tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
FORMATS: dict[str, Codec] = {"json": (msgspec.json.encode, msgspec.json.decode), "cbor": (cbor2.dumps, cbor2.loads)}
EACH = pytest.mark.parametrize("format_", FORMATS)


class Side:
    """A device and the subscriber that it asks."""

    def __init__(self, subscriber: ProvisioningSubscriber, connections: Connections) -> None:
        self.subscriber = subscriber
        self.connections = connections

    async def ask(self, topic: str, payload: Any = None, format_: str = "json", origin: Origin = DEVICE) -> Any:
        """What the accepted document is. The rejected one is raised."""
        encode, decode = FORMATS[format_]
        data = payload if isinstance(payload, bytes) else b"" if payload is None else encode(payload)
        self.subscriber.deliver(question(f"{topic}/{format_}", data, origin))
        kind, answer = await self.connections.next()
        document = decode(answer)
        if kind == "rejected":
            raise RejectedError(document)
        return document


class RejectedError(Exception):
    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__(document)
        self.status, self.code, self.text = document["statusCode"], document["errorCode"], document["errorMessage"]
        assert document.keys() == {"statusCode", "errorCode", "errorMessage"}


@pytest.fixture
async def side(
    fleet: FleetProvisioning, connections: Connections, clock: FakeClock, trace: Trace
) -> AsyncIterator[Side]:
    subscriber = ProvisioningSubscriber(fleet, connections, ProvisioningRates(Limits.AWS, clock), clock, trace)
    yield Side(subscriber, connections)
    await subscriber.close()


async def rejected(asking: Any) -> tuple[int, str]:
    with pytest.raises(RejectedError) as error:
        await asking
    assert error.value.text
    return error.value.status, error.value.code


@EACH
@pytest.mark.parametrize("payload", [None, {}, {"any": "thing"}, b"not even that \xff"])
async def test_create(side: Side, format_: str, payload: Any, registry: Registry) -> None:
    answer = await side.ask(CREATE, payload, format_)
    assert answer.keys() == {"certificateId", "certificatePem", "privateKey", "certificateOwnershipToken"}
    certificate = await registry.certificates.describe(answer["certificateId"])
    assert certificate.pem == answer["certificatePem"]


@EACH
async def test_the_whole_way(side: Side, format_: str, csr: str, template: str) -> None:
    answer = await side.ask(CSR, {"certificateSigningRequest": csr}, format_)
    assert answer.keys() == {"certificateId", "certificatePem", "certificateOwnershipToken"}
    request = {"certificateOwnershipToken": answer["certificateOwnershipToken"], "parameters": {"SerialNumber": "7"}}
    assert await side.ask(PROVISION, request, format_) == {
        "deviceConfiguration": {"site": "hall"},
        "thingName": "lamp-7",
    }


async def test_the_answer_goes_where_the_question_came_from(side: Side, connections: Connections, csr: str) -> None:
    side.subscriber.deliver(question(f"{CSR}/json", {"certificateSigningRequest": csr}, OTHER))
    await connections.arrival()
    [(asker, topic, _)] = connections.sent
    assert asker is OTHER
    assert topic == f"{CSR}/json/accepted"


INVALID = (400, "InvalidPayload")
TOKEN = (400, "InvalidCertificateOwnershipToken")
BAD: list[tuple[str, Any, tuple[int, str]]] = [
    (CSR, None, (400, "InvalidCSR")),
    (CSR, {}, (400, "InvalidCSR")),
    (CSR, {"certificateSigningRequest": "x"}, (400, "InvalidCSR")),
    (CSR, {"certificateSigningRequest": 1}, INVALID),
    (CSR, {"certificateSigningRequest": ["x"]}, INVALID),
    (CSR, {"certificateSigningRequest": "x" * 70_000}, INVALID),
    (CSR, [], INVALID),
    (CSR, b"\xff\xff", INVALID),
    (PROVISION, None, TOKEN),
    (PROVISION, {}, TOKEN),
    (PROVISION, {"certificateOwnershipToken": ""}, TOKEN),
    (PROVISION, {"certificateOwnershipToken": None}, TOKEN),
    (PROVISION, {"certificateOwnershipToken": "x"}, TOKEN),
    (PROVISION, {"certificateOwnershipToken": "x" * 513}, INVALID),
    (PROVISION, {"certificateOwnershipToken": 7}, INVALID),
    (PROVISION, {"certificateOwnershipToken": "x", "parameters": []}, INVALID),
    (PROVISION, {"certificateOwnershipToken": "x", "parameters": {"a": 1}}, INVALID),
    (PROVISION, {"certificateOwnershipToken": "x", "parameters": {"a": None}}, INVALID),
    (PROVISION, {"certificateOwnershipToken": "x", "parameters": {"a": {"b": "c"}}}, INVALID),
    (PROVISION, {"certificateOwnershipToken": "x", "parameters": {str(n): "" for n in range(257)}}, INVALID),
    (PROVISION, b"\xc1", INVALID),
]


@EACH
@pytest.mark.parametrize(("topic", "payload", "expected"), BAD)
async def test_what_is_rejected(
    side: Side,
    format_: str,
    topic: str,
    payload: Any,
    expected: tuple[int, str],
    template: str,
    registry: Registry,
    traced: list[TraceEvent],
) -> None:
    assert await rejected(side.ask(topic, payload, format_)) == expected
    assert (await registry.certificates.page(Paging())).items == []
    [event] = traced
    assert (event.kind, event.status, event.client_id) == ("provisioning", "denied", "device-1")
    assert event.reason.startswith(expected[1])


async def test_a_parameter_that_is_no_text_in_cbor(side: Side, template: str) -> None:
    for value in (b"bytes", 1.5, True, [1]):
        request = {"certificateOwnershipToken": "x", "parameters": {"a": value}}
        assert await rejected(side.ask(PROVISION, request, "cbor")) == INVALID
    number = {"certificateOwnershipToken": "x", "parameters": {1: "a"}}
    assert await rejected(side.ask(PROVISION, number, "cbor")) == INVALID


@pytest.mark.parametrize("topic", [f"{CREATE}/json/accepted", f"{CREATE}/xml", f"{PROVISION}/json/rejected"])
async def test_other_topics_do_nothing(
    side: Side, connections: Connections, registry: Registry, traced: list[TraceEvent], topic: str
) -> None:
    side.subscriber.deliver(question(topic))
    await asyncio.sleep(0)
    assert [(one.status, one.topic) for one in traced] == [("skipped", topic)]
    assert connections.sent == []


async def test_nothing_is_made_for_who_would_not_hear_of_it(
    side: Side, connections: Connections, registry: Registry, traced: list[TraceEvent]
) -> None:
    connections.deaf = "the client does not subscribe"
    side.subscriber.deliver(question(f"{CREATE}/json"))
    assert [one.status for one in traced] == ["skipped"]
    assert "does not subscribe" in traced[0].reason
    assert (await registry.certificates.page(Paging())).items == []


async def test_a_client_that_goes_meanwhile(
    side: Side,
    connections: Connections,
    functions: Functions,
    registry: Registry,
    traced: list[TraceEvent],
    template: str,
    csr: str,
) -> None:
    """What was done for it stands; it may ask again."""
    new = await side.ask(CSR, {"certificateSigningRequest": csr})
    await registry.provisioning_templates.update("T", hook=Hook(HOOK, "2020-04-01"))

    async def go() -> None:
        connections.deaf = "gone"

    functions.wait = go
    request = {"certificateOwnershipToken": new["certificateOwnershipToken"], "parameters": {"SerialNumber": "7"}}
    side.subscriber.deliver(question(f"{PROVISION}/json", request))
    await side.subscriber.drain()
    assert (traced[-1].status, traced[-1].reason) == ("failure", "the answer was lost: gone")
    connections.deaf = None
    assert (await side.ask(PROVISION, request))["thingName"] == "lamp-7"


async def test_each_step_is_traced(side: Side, traced: list[TraceEvent], template: str, csr: str) -> None:
    new = await side.ask(CSR, {"certificateSigningRequest": csr})
    token = new["certificateOwnershipToken"]
    await side.ask(PROVISION, {"certificateOwnershipToken": token, "parameters": {"SerialNumber": "7"}})
    made, registered = traced
    assert (made.name, made.status, made.detail) == (
        "CreateCertificateFromCsr",
        "success",
        {"certificateId": new["certificateId"]},
    )
    assert (registered.name, registered.status, registered.detail) == (
        "RegisterThing",
        "success",
        {"thingName": "lamp-7"},
    )
    assert token not in repr(traced)


async def test_a_fault_of_ours(
    side: Side, fleet: FleetProvisioning, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("internals")

    monkeypatch.setattr(fleet, "create_keys_and_certificate", fail)
    with pytest.raises(RejectedError) as error:
        await side.ask(CREATE)
    assert (error.value.status, error.value.code) == (500, "InternalError")
    assert "internals" not in error.value.text
    assert "internals" in caplog.text


class TestBounds:
    @pytest.fixture
    def stuck(self, fleet: FleetProvisioning, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
        """Set it, and certificates are made."""
        goes = asyncio.Event()
        create = fleet.create_keys_and_certificate

        async def wait(asker: Origin) -> Any:
            await goes.wait()
            return await create(asker)

        monkeypatch.setattr(fleet, "create_keys_and_certificate", wait)
        return goes

    async def test_of_each_connection(self, side: Side, connections: Connections, stuck: asyncio.Event) -> None:
        for _ in range(module.AT_ONCE_EACH + 2):
            side.subscriber.deliver(question(f"{CREATE}/json"))
        side.subscriber.deliver(question(f"{CREATE}/json", origin=OTHER))
        answers = [await connections.next() for _ in range(2)]
        assert [kind for kind, _ in answers] == ["rejected"] * 2
        assert msgspec.json.decode(answers[0][1])["errorCode"] == "Throttled"
        stuck.set()
        answers = [await connections.next() for _ in range(module.AT_ONCE_EACH + 1)]
        assert {kind for kind, _ in answers} == {"accepted"}
        assert (await side.ask(CREATE)).keys() >= {"privateKey"}
        await side.subscriber.drain()
        assert not side.subscriber._of_each, "who has been served leaves nothing behind"

    async def test_of_the_log(
        self, side: Side, clock: FakeClock, traced: list[TraceEvent], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, module.__name__)

        def logged() -> int:
            return sum(record.name == module.__name__ for record in caplog.records)

        for _ in range(module.LOGGED + 10):
            await rejected(side.ask(CSR))
        assert logged() == module.LOGGED + 1
        assert len(traced) == module.LOGGED + 10
        await clock.advance(60)
        await rejected(side.ask(CSR))
        assert logged() == module.LOGGED + 2

    async def test_of_all(
        self, side: Side, connections: Connections, stuck: asyncio.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "AT_ONCE", 3)
        for number in range(4):
            side.subscriber.deliver(question(f"{CREATE}/json", origin=Origin(str(number), str(number))))
        kind, _ = await connections.next()
        assert kind == "rejected"
        assert connections.sent == []

    async def test_strict_rates_bind(
        self, fleet: FleetProvisioning, connections: Connections, clock: FakeClock, trace: Trace, csr: str
    ) -> None:
        strict = ProvisioningSubscriber(fleet, connections, ProvisioningRates(Limits.STRICT, clock), clock, trace)
        side = Side(strict, connections)
        for _ in range(20):
            await side.ask(CSR, {"certificateSigningRequest": csr})
        assert await rejected(side.ask(CSR, {"certificateSigningRequest": csr})) == (429, "Throttled")
        await clock.advance(0.1)
        await side.ask(CSR, {"certificateSigningRequest": csr})
        await strict.close()
