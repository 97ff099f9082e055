"""Users and sessions on a whole platform: the data plane over HTTP and WebSocket, and what changes under their feet."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
import msgspec
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from fogbank.app import Platform
from fogbank.awswire.errors import InvalidSignature, UnrecognizedClient
from fogbank.mqtt.packets import Publish
from fogbank.ports import Arrival, HttpHead
from fogbank.settings import Settings
from fogbank.testing.device import Device

ROLE = "arn:aws:iam::123456789012:role/device"
PREFIX = "arn:aws:iot:us-east-1:123456789012"
Keys = tuple[str, str, str | None]


def document(*statements: dict[str, Any]) -> str:
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()


TRUST = document({"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"})
CONNECT = {"Effect": "Allow", "Action": "iot:Connect", "Resource": f"{PREFIX}:client/${{aws:PrincipalTag/name}}"}
PUBLISH = {"Effect": "Allow", "Action": "iot:Publish", "Resource": f"{PREFIX}:topic/mine/*"}


class Site:
    """A platform with a role, and clients of every kind for it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.ready = platform.ready()
        self.iam = self.client("iam")
        self.sts = self.client("sts")

    @property
    def root(self) -> Keys:
        return self.ready.access_key_id, self.ready.secret_access_key, None

    def client(self, service: str, keys: Keys | None = None) -> Any:
        key_id, secret, token = keys or self.root
        return boto3.session.Session().client(
            service,
            endpoint_url=self.ready.api,
            region_name=self.ready.region,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(retries={"max_attempts": 0}),
        )

    async def session(self, *statements: dict[str, Any], **wishes: Any) -> Keys:
        """Keys of a session of the role, which has these statements."""

        def begin() -> Keys:
            self.iam.create_role(
                RoleName="device", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "name", "Value": "lamp"}]
            )
            self.rights(*statements)
            found = self.sts.assume_role(RoleArn=ROLE, RoleSessionName="me", **wishes)["Credentials"]
            return found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"]

        return await asyncio.to_thread(begin)

    def rights(self, *statements: dict[str, Any]) -> None:
        self.iam.put_role_policy(RoleName="device", PolicyName="own", PolicyDocument=document(*statements))

    async def device(self, keys: Keys) -> Device:
        """An MQTT client that has come by WebSocket, with a URL as AWS's SDKs presign it: the token comes behind the
        signature. Raises ServiceError where it is not let in."""
        key_id, secret, token = keys
        request = AWSRequest("GET", "wss://fogbank.example.com/mqtt")
        credentials = Credentials(key_id, secret)
        SigV4QueryAuth(credentials, "iotdevicegateway", self.ready.region, expires=300).add_auth(request)
        query = urlsplit(request.url or "").query + (f"&X-Amz-Security-Token={quote(token, safe='')}" if token else "")
        head = HttpHead(method="GET", path="/mqtt", query=query, headers={"host": "fogbank.example.com"})
        peer = await self.platform.services.reception.desk.websocket(Arrival(ip="192.0.2.1"), head)
        return Device(self.platform.services.broker, peer)


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Site]:
    settings = Settings(data_dir=directory, api_port=0, mqtt_port=0, https_port=0, region="us-east-1")
    async with Platform(settings) as platform:
        yield Site(platform)


async def test_a_session_s_rights_hold_over_http(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        data = site.client("iot-data", await site.session(PUBLISH))
        device = await (await site.device(site.root)).accepted("watcher")
        await device.subscribe(("#", 0))
        await asyncio.to_thread(data.publish, topic="mine/a", payload=b"x")
        forbidden = data.exceptions.ForbiddenException
        for topic, retain in (("yours/a", False), ("mine/a", True)):
            with pytest.raises(forbidden):
                await asyncio.to_thread(data.publish, topic=topic, payload=b"y", retain=retain)
        with pytest.raises(forbidden):
            await asyncio.to_thread(data.get_thing_shadow, thingName="lamp")
        assert [(one.topic, one.payload) for one in await device.messages()] == [("mine/a", b"x")]


async def test_a_session_s_rights_hold_over_websocket(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        keys = await site.session(CONNECT, PUBLISH)
        watcher = await (await site.device(site.root)).accepted("watcher")
        await watcher.subscribe(("#", 0))
        device = await (await site.device(keys)).accepted("lamp")
        device.send(Publish("mine/a", b"x"))
        assert [one.topic for one in await watcher.messages()] == ["mine/a"]
        device.send(Publish("yours/a", b"x"))
        assert await watcher.messages() == []
        assert device.closed
        assert (await (await site.device(keys)).connect("another")).code != 0


async def test_keys_that_open_no_websocket(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        key_id, secret, token = await site.session(CONNECT)
        for wrong in ((key_id, secret, None), (key_id, secret, "x"), (*site.root[:2], token)):
            with pytest.raises(UnrecognizedClient):
                await site.device(wrong)
        with pytest.raises(InvalidSignature):
            await site.device((key_id, "x", token))


async def test_what_is_taken_from_a_role_is_taken_from_its_live_connections(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        keys = await site.session(CONNECT, PUBLISH)
        device = await (await site.device(keys)).accepted("lamp")
        device.send(Publish("mine/a", b"x"))
        await device.take()
        assert [device.closed] == [False]
        await asyncio.to_thread(site.rights, CONNECT)
        device.send(Publish("mine/a", b"x"))
        await device.take()
        assert device.closed
    async with running(tmp_path) as site:  # after a restart, with the keys of before
        device = await (await site.device(keys)).accepted("lamp")
        await asyncio.to_thread(site.iam.delete_role_policy, RoleName="device", PolicyName="own")
        assert [device.closed] == [False]
        await asyncio.to_thread(site.iam.delete_role, RoleName="device")
        await device.take()
        assert device.closed


async def test_a_user_s_connection_ends_with_its_key(tmp_path: Path) -> None:
    async with running(tmp_path) as site:

        def make() -> Keys:
            site.iam.create_user(UserName="bob")
            site.iam.attach_user_policy(UserName="bob", PolicyArn="arn:aws:iam::aws:policy/AWSIoTDataAccess")
            key = site.iam.create_access_key(UserName="bob")["AccessKey"]
            return key["AccessKeyId"], key["SecretAccessKey"], None

        keys = await asyncio.to_thread(make)
        device = await (await site.device(keys)).accepted("any")
        await asyncio.to_thread(site.iam.update_access_key, UserName="bob", AccessKeyId=keys[0], Status="Inactive")
        await device.take()
        assert device.closed
        with pytest.raises(UnrecognizedClient):
            await site.device(keys)


async def test_a_rule_s_role_must_be_one_that_its_author_may_pass(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        anything = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
        keys = await site.session(anything)
        role = "arn:aws:iam::123456789012:role/of-rules"
        action = {"republish": {"roleArn": role, "topic": "b"}}
        payload = {"sql": "SELECT * FROM 'a'", "actions": [action], "awsIotSqlVersion": "2016-03-23"}
        iot = site.client("iot", keys)
        with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
            await asyncio.to_thread(iot.create_topic_rule, ruleName="r", topicRulePayload=payload)
        condition = {"StringEquals": {"iam:PassedToService": "iot.amazonaws.com"}}
        passing = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": condition}
        await asyncio.to_thread(site.rights, anything, passing)
        await asyncio.to_thread(iot.create_topic_rule, ruleName="r", topicRulePayload=payload)
        await asyncio.to_thread(site.rights, anything)
        with pytest.raises(ClientError, match=f"iam:PassRole on resource: {role}"):
            await asyncio.to_thread(iot.replace_topic_rule, ruleName="r", topicRulePayload=payload)


async def test_users_do_not_listen_to_the_trace_or_read_metrics(tmp_path: Path) -> None:
    """Those are the operator's, whatever a policy says."""
    async with running(tmp_path) as site:
        keys = await site.session({"Effect": "Allow", "Action": "*", "Resource": "*"})

        for path in ("/_fogbank/metrics", "/_fogbank/trace"):
            request = AWSRequest("GET", site.ready.api + path)
            SigV4Auth(Credentials(*keys), "iot", site.ready.region).add_auth(request)
            session = URLLib3Session()
            answer = await asyncio.to_thread(session.send, request.prepare())
            session.close()
            assert answer.status_code == 404
