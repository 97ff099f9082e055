"""A rule that sends all messages to a queue outside of the broker: what is acknowledged must arrive there, too."""

import asyncio
import json
import random
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from tests.torture import area
from tests.torture.client import World
from tests.torture.findings import Fault
from tests.torture.ledger import Audience
from tests.torture.sink import Sink
from tests.torture.victims import Fogbank

from fogbank.ready import Ready

DEAF = 0.5
"""How often the queue answers nobody until the next question: so that actions hang when the broker is killed."""

TRUST = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}
MAY_SEND = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}


class Rule:
    """The audience of one rule. It takes everything at least once, in no order, and nothing back."""

    def __init__(self, broker: Fogbank, sink: Sink) -> None:
        self._broker = broker
        self._sink = sink
        self._world: World
        self._installed = False

    def join(self, world: World) -> Audience:
        """To whom messages are owed from `install` on."""
        self._world = world
        self._random: random.Random = world.random("rule")
        self.audience = Audience("the rule's queue", world.ledger, ordered=False)
        world.ledger.audiences.append(self.audience)
        return self.audience

    async def install(self) -> None:
        """Create the rule, unless it is there already."""
        if self._installed:
            return
        loop = asyncio.get_running_loop()
        self._sink.take = lambda body: loop.call_soon_threadsafe(self._came, body)
        filters = [*map(area.group_filter, range(area.GROUPS)), area.SHARED]
        for filter_ in filters:
            self.audience.subscribing(filter_)
        await asyncio.to_thread(self._create, self._broker.where())
        for filter_ in filters:
            self.audience.subscribed(filter_)
        self._installed = True

    def choose(self) -> None:
        """Whether the queue hears anything in this life of the broker."""
        if self._random.random() < DEAF:
            self._sink.listens.clear()

    def listen(self) -> None:
        """From now on the queue answers."""
        self._sink.listens.set()

    def _create(self, where: Ready) -> None:
        action = {"sqs": {"queueUrl": self._sink.queue, "roleArn": sending_role(where), "useBase64": True}}
        payload = {"sql": "SELECT * FROM 'torture/+/+'", "awsIotSqlVersion": "2016-03-23", "actions": [action]}
        _client("iot", where).create_topic_rule(ruleName="to_queue", topicRulePayload=payload)

    def _came(self, body: str) -> None:
        payload = b64decode(body)
        topic = payload.partition(b" ")[0].decode(errors="replace")
        if not self.audience.holds(area.filter_of(topic) if topic.count("/") == 2 else topic):
            return  # a fence, or a retained message
        number = area.number_of(topic, payload)
        message = None if number is None else self._world.ledger.find(topic, number)
        if message is None:
            self._world.ledger.complain(Fault.DAMAGED, self.audience.name, f"{payload[:80]!r}", [])
            return
        self.audience.taken(message)
        self._world.came.set()


def sending_role(where: Ready) -> str:
    """The ARN of a new role that may send to every queue."""
    iam = _client("iam", where)
    arn: str = iam.create_role(RoleName="sender", AssumeRolePolicyDocument=_document(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName="sender", PolicyName="send", PolicyDocument=_document(MAY_SEND))
    return arn


def _document(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _client(service: str, where: Ready) -> Any:
    return boto3.client(
        service,
        endpoint_url=where.api,
        region_name=where.region,
        aws_access_key_id=where.access_key_id,
        aws_secret_access_key=where.secret_access_key,
        config=Config(proxies={}),  # a proxy, as offices have them, does not lead to this machine
    )
