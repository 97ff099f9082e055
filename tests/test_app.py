"""The whole platform in one process: what only the wiring can get wrong."""

import asyncio
import io
import json
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
from tests.gateway.rule_destination_story import Receiver

from fogbank.app import Platform
from fogbank.message import Message
from fogbank.settings import Settings


def settings(directory: Path) -> Settings:
    return Settings(data_dir=directory, api_port=0, mqtt_port=0, https_port=0)


def client(platform: Platform, service: str, key_id: str | None = None, secret: str | None = None) -> Any:
    """Boto3, as the root unless other keys are given."""
    ready = platform.ready()
    return boto3.client(
        service,
        endpoint_url=ready.api,
        region_name=ready.region,
        aws_access_key_id=key_id or ready.access_key_id,
        aws_secret_access_key=secret or ready.secret_access_key,
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

        platform.services.registry.principals.watch(listener)

        def use() -> str:
            iot = client(platform, "iot")
            made = iot.create_keys_and_certificate(setAsActive=True)
            iot.update_certificate(certificateId=made["certificateId"], newStatus="INACTIVE")
            iot.close()
            return str(made["certificateId"])

        certificate_id = await asyncio.to_thread(use)
        assert told[-1] == frozenset({certificate_id})
        assert platform.services.broker._changes == len(told)


async def test_everything_is_there_again_after_a_restart_and_two_cannot_share_it(tmp_path: Path) -> None:
    from fogbank.ports import StorageError

    async with Platform(settings(tmp_path)) as platform:
        await platform.services.registry.things.create("lamp")
        first = platform.ready()
        with pytest.raises(StorageError, match=str(tmp_path)):
            Platform(settings(tmp_path))
    async with Platform(settings(tmp_path)) as platform:
        again = platform.ready()
        assert (again.access_key_id, again.secret_access_key) == (first.access_key_id, first.secret_access_key)
        assert (await platform.services.registry.things.describe("lamp")).name == "lamp"


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"},
    }
)


def may(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}})


def create_rule(iot: Any, name: str, sql: str, *actions: dict[str, Any]) -> None:
    payload = {"sql": sql, "actions": actions, "awsIotSqlVersion": "2016-03-23"}
    iot.create_topic_rule(ruleName=name, topicRulePayload=payload)


class Listener:
    """A subscriber in the process, which keeps what comes."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()

    def deliver(self, message: Message) -> None:
        self.messages.put_nowait(message)

    async def next(self) -> Any:
        return json.loads((await asyncio.wait_for(self.messages.get(), 20)).payload)


async def test_a_rule_asks_shadows_registry_and_functions(tmp_path: Path) -> None:
    role = "arn:aws:iam::123456789012:role/reader"
    function = "arn:aws:lambda:us-east-1:123456789012:function:double"
    sql = (
        f"SELECT get_thing_shadow('lamp', '{role}').state.desired.on AS on, "
        f"get_registry_data('DescribeThing', 'lamp', '{role}').attributes.room AS room, "
        f"aws_lambda('{function}', {{'n': n}}).n AS n FROM 'ask'"
    )
    answers = Listener()
    async with Platform(settings(tmp_path)) as platform:
        platform.services.broker.router.subscribe("answer", answers)

        def prepare() -> None:
            iot, data, functions, iam = (client(platform, name) for name in ("iot", "iot-data", "lambda", "iam"))
            iot.create_thing(thingName="lamp", attributePayload={"attributes": {"room": "attic"}})
            data.update_thing_shadow(thingName="lamp", payload=json.dumps({"state": {"desired": {"on": True}}}))
            functions.create_function(
                FunctionName="double",
                Runtime="python3.11",
                Role=role,
                Handler="handler.handler",
                Code={"ZipFile": archive("def handler(event, context):\n    return {'n': 2 * event['n']}\n")},
            )
            functions.add_permission(
                FunctionName="double", StatementId="iot", Action="lambda:InvokeFunction", Principal="iot.amazonaws.com"
            )
            functions.invoke(FunctionName="double", Payload=b'{"n": 0}')  # which starts it: the rule has two seconds
            iam.create_role(RoleName="reader", AssumeRolePolicyDocument=TRUST)
            rights = may("iot:GetThingShadow", "iot:DescribeThing", "iot:Publish")
            iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=rights)
            create_rule(iot, "asks", sql, {"republish": {"topic": "answer", "roleArn": role}})
            data.publish(topic="ask", qos=1, payload=b'{"n": 21}')
            for used in (iot, data, functions, iam):
                used.close()

        await asyncio.to_thread(prepare)
        assert await answers.next() == {"on": True, "room": "attic", "n": 42}
        platform.services.broker.router.unsubscribe("answer", answers)


async def test_roles_in_sql_must_be_passed_as_those_in_members(tmp_path: Path) -> None:
    """Else whoever may create rules could read every secret that some role may read."""
    role = "arn:aws:iam::123456789012:role/admin"
    async with Platform(settings(tmp_path)) as platform:

        def use() -> None:
            iam = client(platform, "iam")
            iam.create_user(UserName="author")
            iam.put_user_policy(UserName="author", PolicyName="p", PolicyDocument=may("iot:CreateTopicRule"))
            key = iam.create_access_key(UserName="author")["AccessKey"]
            iot = client(platform, "iot", key["AccessKeyId"], key["SecretAccessKey"])
            for sql, header in (
                (f"SELECT get_thing_shadow('lamp', '{role}') AS s FROM 'a'", "b"),
                ("SELECT * FROM 'a'", f"${{get_thing_shadow('lamp', '{role}').version}}"),
            ):
                post = {"http": {"url": "http://127.0.0.1:9/x", "headers": [{"key": "a", "value": header}]}}
                with pytest.raises(iot.exceptions.ClientError, match="iam:PassRole"):
                    create_rule(iot, "r", sql, post)
            create_rule(iot, "r", "SELECT * FROM 'a'")
            iot.close()
            iam.close()

        await asyncio.to_thread(use)
        assert platform.services.destinations.list().destinations == []


async def test_a_rule_posts_to_a_url_once_its_owner_wants_it(tmp_path: Path) -> None:
    async with Platform(settings(tmp_path)) as platform:

        def use() -> None:
            iot, data = client(platform, "iot"), client(platform, "iot-data")
            with Receiver() as receiver:
                create_rule(iot, "r", "SELECT * FROM 'a'", {"http": {"url": f"{receiver.url}/x"}})
                asked = json.loads(receiver.bodies.get(timeout=10))
                data.publish(topic="a", payload=b'{"too": "early"}')
                fetch(asked["enableUrl"])
                data.publish(topic="a", payload=b'{"in": "time"}')
                assert json.loads(receiver.bodies.get(timeout=10)) == {"in": "time"}
            iot.close()
            data.close()

        await asyncio.to_thread(use)


async def test_others_are_told_the_name_that_they_know(tmp_path: Path) -> None:
    given = structs.replace(settings(tmp_path), host="0.0.0.0", names=("iot.example.com",))
    async with Platform(given) as platform:
        assert platform.api_url == f"http://127.0.0.1:{platform.api.port}"
        assert platform.public_url == f"http://iot.example.com:{platform.api.port}"
