"""Devices that have themselves provisioned: AWS's own client (awsiot.iotidentity) in its three ways, and CBOR."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

import awsiot
import cbor2
import msgspec
from awscrt import mqtt, mqtt5, mqtt_request_response
from awsiot import iotidentity, mqtt5_client_builder
from tests.e2e.clients.base import Door, Options, Site, Version
from tests.e2e.clients.paho import Paho
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import PATIENCE
from fogbank.ready import Ready

AT_LEAST_ONCE = mqtt.QoS.AT_LEAST_ONCE


class Given(msgspec.Struct, frozen=True):
    """A device's certificate, as it was handed out."""

    id: str
    pem: str
    token: str
    private_key: str | None = None


class Become(msgspec.Struct, frozen=True):
    """What a device was made."""

    thing: str | None
    configuration: dict[str, str]


class RejectedError(Exception):
    """The rejected document."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code}: {text}")
        self.status, self.code, self.text = status, code, text


class Newcomer(Protocol):
    """A device that holds a claim. Everything raises RejectedError."""

    def create_keys(self) -> Given: ...

    def create_from_csr(self, csr: str) -> Given: ...

    def register(self, template: str, token: str, parameters: dict[str, str]) -> Become: ...

    def close(self) -> None: ...


MakeNewcomer = Callable[[Ready, Credentials], Newcomer]


class FirstVersion:
    """The client's first version: subscribe to both answers, then publish."""

    def __init__(self, where: Ready, credentials: Credentials) -> None:
        self._device = SdkDevice(where, credentials)
        self._device.connect()
        self._client = iotidentity.IotIdentityClient(self._device.connection)

    def create_keys(self) -> Given:
        request = iotidentity.CreateKeysAndCertificateSubscriptionRequest()
        answer = self._ask(
            self._client.subscribe_to_create_keys_and_certificate_accepted,
            self._client.subscribe_to_create_keys_and_certificate_rejected,
            request,
            self._client.publish_create_keys_and_certificate,
            iotidentity.CreateKeysAndCertificateRequest(),
        )
        return Given(
            answer.certificate_id, answer.certificate_pem, answer.certificate_ownership_token, answer.private_key
        )

    def create_from_csr(self, csr: str) -> Given:
        answer = self._ask(
            self._client.subscribe_to_create_certificate_from_csr_accepted,
            self._client.subscribe_to_create_certificate_from_csr_rejected,
            iotidentity.CreateCertificateFromCsrSubscriptionRequest(),
            self._client.publish_create_certificate_from_csr,
            iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=csr),
        )
        return Given(answer.certificate_id, answer.certificate_pem, answer.certificate_ownership_token)

    def register(self, template: str, token: str, parameters: dict[str, str]) -> Become:
        answer = self._ask(
            self._client.subscribe_to_register_thing_accepted,
            self._client.subscribe_to_register_thing_rejected,
            iotidentity.RegisterThingSubscriptionRequest(template_name=template),
            self._client.publish_register_thing,
            _registration(template, token, parameters),
        )
        return Become(answer.thing_name, answer.device_configuration)

    def close(self) -> None:
        self._device.close()

    def _ask(self, accepted: Any, rejected: Any, subscription: Any, publish: Any, request: Any) -> Any:
        answered: Future[Any] = Future()
        once = threading.Lock()

        def answer(document: Any) -> None:
            if once.acquire(blocking=False):
                answered.set_result(document)

        for subscribe in (accepted, rejected):
            future, _ = subscribe(subscription, AT_LEAST_ONCE, answer)
            future.result(PATIENCE)
        publish(request, AT_LEAST_ONCE).result(PATIENCE)
        document = answered.result(PATIENCE)
        if isinstance(document, iotidentity.ErrorResponse):
            raise RejectedError(document.status_code, document.error_code, document.error_message)
        return document


class SecondVersion:
    """The client's second version, which sees to subscriptions itself; over MQTT 3.1.1."""

    def __init__(self, where: Ready, credentials: Credentials) -> None:
        self._device = SdkDevice(where, credentials)
        self._device.connect()
        self._client = _second(self._device.connection)

    def create_keys(self) -> Given:
        answer = _result(self._client.create_keys_and_certificate(iotidentity.CreateKeysAndCertificateRequest()))
        return Given(
            answer.certificate_id, answer.certificate_pem, answer.certificate_ownership_token, answer.private_key
        )

    def create_from_csr(self, csr: str) -> Given:
        request = iotidentity.CreateCertificateFromCsrRequest(certificate_signing_request=csr)
        answer = _result(self._client.create_certificate_from_csr(request))
        return Given(answer.certificate_id, answer.certificate_pem, answer.certificate_ownership_token)

    def register(self, template: str, token: str, parameters: dict[str, str]) -> Become:
        answer = _result(self._client.register_thing(_registration(template, token, parameters)))
        return Become(answer.thing_name, answer.device_configuration)

    def close(self) -> None:
        del self._client
        self._device.close()


class SecondVersion5(SecondVersion):
    """The same over MQTT 5."""

    def __init__(self, where: Ready, credentials: Credentials) -> None:
        connected: Future[bool] = Future()
        self._stopped: Future[bool] = Future()
        self._connection = mqtt5_client_builder.mtls_from_path(
            endpoint=where.mqtts.host,
            port=where.mqtts.port,
            client_id=credentials.thing,
            cert_filepath=str(credentials.certificate),
            pri_key_filepath=str(credentials.key),
            ca_filepath=where.ca_file,
            on_lifecycle_connection_success=lambda _: connected.set_result(True),
            on_lifecycle_stopped=lambda _: self._stopped.set_result(True),
        )
        self._connection.start()
        connected.result(PATIENCE)
        self._client = _second(self._connection)

    def close(self) -> None:
        del self._client
        self._connection.stop(mqtt5.DisconnectPacket())
        self._stopped.result(PATIENCE)


class ByCbor:
    """Paho, and CBOR as small devices send it."""

    def __init__(self, where: Ready, credentials: Credentials, app: App) -> None:
        def no_token() -> Any:
            raise AssertionError("this way needs none")

        site = Site(where, app, credentials.certificate, credentials.key, no_token)
        self._client = Paho(site, Version.V3_1_1, Door.CERTIFICATE, Options(client_id=credentials.thing))
        self._client.connect()
        self._subscribed: set[str] = set()

    def create_keys(self) -> Given:
        answer = self.ask("$aws/certificates/create/cbor", b"")
        return Given(**_given(answer), private_key=answer["privateKey"])

    def create_from_csr(self, csr: str) -> Given:
        answer = self.ask("$aws/certificates/create-from-csr/cbor", cbor2.dumps({"certificateSigningRequest": csr}))
        return Given(**_given(answer))

    def register(self, template: str, token: str, parameters: dict[str, str]) -> Become:
        request = cbor2.dumps({"certificateOwnershipToken": token, "parameters": parameters})
        answer = self.ask(f"$aws/provisioning-templates/{template}/provision/cbor", request)
        return Become(answer.get("thingName"), answer["deviceConfiguration"])

    def ask(self, topic: str, payload: bytes) -> dict[str, Any]:
        """What the accepted document is."""
        answers = (f"{topic}/accepted", f"{topic}/rejected")
        for answer in answers:
            if answer not in self._subscribed:
                self._client.subscribe(answer)
                self._subscribed.add(answer)
        self._client.publish(topic, payload)
        arrived = self._client.messages.take("an answer", lambda one: one.topic in answers)
        document: dict[str, Any] = cbor2.loads(arrived.payload)
        if arrived.topic.endswith("/rejected"):
            raise RejectedError(document["statusCode"], document["errorCode"], document["errorMessage"])
        return document

    def close(self) -> None:
        self._client.close()


def store(directory: Path, name: str, certificate: str, key: str) -> Credentials:
    """What a device writes to its flash; `name` is its client ID."""
    credentials = Credentials(name, directory / f"{name}.pem", directory / f"{name}.key")
    credentials.certificate.write_text(certificate)
    credentials.key.write_text(key)
    return credentials


def _given(answer: dict[str, Any]) -> dict[str, str]:
    return {
        "id": answer["certificateId"],
        "pem": answer["certificatePem"],
        "token": answer["certificateOwnershipToken"],
    }


def _registration(template: str, token: str, parameters: dict[str, str]) -> iotidentity.RegisterThingRequest:
    return iotidentity.RegisterThingRequest(
        template_name=template, certificate_ownership_token=token, parameters=parameters
    )


def _second(connection: Any) -> iotidentity.IotIdentityClientV2:
    options = mqtt_request_response.ClientOptions(
        max_request_response_subscriptions=4, max_streaming_subscriptions=1, operation_timeout_in_seconds=int(PATIENCE)
    )
    return iotidentity.IotIdentityClientV2(connection, options)


def _result(future: Any) -> Any:
    try:
        return future.result(PATIENCE)
    except awsiot.V2ServiceException as error:
        document = error.modeled_error
        if document is None:
            raise
        raise RejectedError(document.status_code, document.error_code, document.error_message) from error
