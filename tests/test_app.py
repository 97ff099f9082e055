"""The whole platform in one process: what only the wiring can get wrong."""

import asyncio
import io
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from cryptography import x509
from msgspec import structs

from fogbank.app import Platform
from fogbank.settings import Settings


def settings(directory: Path) -> Settings:
    return Settings(data_dir=directory, api_port=0, mqtt_port=0, https_port=0)


def client(platform: Platform, service: str) -> Any:
    ready = platform.ready()
    return boto3.client(
        service,
        endpoint_url=ready.api,
        region_name=ready.region,
        aws_access_key_id=ready.access_key_id,
        aws_secret_access_key=ready.secret_access_key,
        config=Config(retries={"max_attempts": 0}),
    )


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as response:
        data = response.read()
    assert isinstance(data, bytes)
    return data


def archive(source: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("handler.py", source)
    return packed.getvalue()


async def test_the_code_of_a_function_can_be_fetched_where_get_function_says(tmp_path: Path) -> None:
    code = archive("def handler(event, context):\n    return event\n")
    async with Platform(settings(tmp_path)) as platform:

        def use() -> None:
            functions = client(platform, "lambda")
            functions.create_function(
                FunctionName="f",
                Runtime="python3.11",
                Role="arn:aws:iam::123456789012:role/r",
                Handler="handler.handler",
                Code={"ZipFile": code},
            )
            location = functions.get_function(FunctionName="f")["Code"]["Location"]
            assert fetch(location) == code
            with pytest.raises(urllib.error.HTTPError, match="403"):
                fetch(location[:-3] + "abc")
            functions.close()

        await asyncio.to_thread(use)


async def test_the_ca_certificate_is_served_to_whoever_asks(tmp_path: Path) -> None:
    async with Platform(settings(tmp_path)) as platform:
        served = await asyncio.to_thread(fetch, f"{platform.api_url}/_fogbank/ca.pem")
        assert served == platform.ca_file.read_bytes()
        assert served.startswith(b"-----BEGIN CERTIFICATE-----")
        assert b"PRIVATE" not in served


async def test_devices_reach_it_by_the_names_given(tmp_path: Path) -> None:
    names = ("iot.example.com", "192.0.2.7")
    given = structs.replace(settings(tmp_path), host="0.0.0.0", names=names)
    async with Platform(given) as platform:
        endpoint = (await asyncio.to_thread(client(platform, "iot").describe_endpoint))["endpointAddress"]
        assert endpoint == f"iot.example.com:{platform.mqtts.port}"
    [pem] = x509.load_pem_x509_certificates((tmp_path / "ca" / "server.pem").read_bytes())
    borne = pem.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "iot.example.com" in borne.get_values_for_type(x509.DNSName)
    assert "192.0.2.7" in [str(address) for address in borne.get_values_for_type(x509.IPAddress)]


async def test_a_change_of_rights_reaches_the_broker(tmp_path: Path) -> None:
    """The registry tells the broker before it answers: the one introduction between them."""
    async with Platform(settings(tmp_path)) as platform:
        told: list[frozenset[str]] = []

        async def listener(ids: frozenset[str]) -> None:
            told.append(ids)

        platform.registry.principals.watch(listener)

        def use() -> str:
            iot = client(platform, "iot")
            made = iot.create_keys_and_certificate(setAsActive=True)
            iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
            iot.close()
            return str(made["certificateId"])

        certificate_id = await asyncio.to_thread(use)
        assert told[-1] == frozenset({certificate_id})
        assert platform.broker._changes == len(told)


async def test_everything_is_there_again_after_a_restart_and_two_cannot_share_it(tmp_path: Path) -> None:
    from fogbank.ports import StorageError

    async with Platform(settings(tmp_path)) as platform:
        await platform.registry.things.create("lamp")
        first = platform.ready()
        with pytest.raises(StorageError, match=str(tmp_path)):
            Platform(settings(tmp_path))
    async with Platform(settings(tmp_path)) as platform:
        again = platform.ready()
        assert (again.access_key_id, again.secret_access_key) == (first.access_key_id, first.secret_access_key)
        assert (await platform.registry.things.describe("lamp")).name == "lamp"
