"""The action `republish`: publish the result of SELECT to another topic.

Developer Guide, "Republish" rule action. A reserved topic is written with two dollar signs, `$$aws/things/...`; only
those in the text of the rule itself count, so that a device cannot reach a reserved topic by what it puts into a
payload. Topics of jobs are not supported there, nor here.

AWS warns of rules that feed each other and stops none. Here a message carries how many republish actions it has been
through, and the one that would pass `MAX_HOPS` fails, telling by name which rule it was.
"""

import re
from typing import Any

import msgspec

from fogbank.errors import InvalidRequest, ServiceError
from fogbank.message import Message, Origin
from fogbank.ports import Publisher
from fogbank.rules.actions.base import ActionFailed, Context, Firing, is_transient, read_parameters
from fogbank.rules.templates import Template
from fogbank.topics import InvalidTopic, check_topic

KIND = "republish"

MAX_HOPS = 16
"""Republish actions in a row that one message may cause; a chain made on purpose is far shorter. It is also about
where AWS cuts recursive invocations of a function."""

_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/\S+", re.ASCII)
_JOBS = re.compile(r"\$aws/things/[^/]+/jobs/")


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's RepublishAction."""

    topic: str
    role_arn: str
    qos: int = 0
    headers: dict[str, Any] | None = None


class RepublishAction:
    """Publishes to a topic."""

    kind = KIND
    title = "RepublishAction"

    def __init__(self, rule: str, topic: Template, *, reserved: bool, qos: int, publisher: Publisher) -> None:
        self.target = topic.text
        self._rule = rule
        self._topic = topic
        self._reserved = reserved
        self._qos = qos
        self._publisher = publisher

    @classmethod
    def make(cls, members: object, context: Context) -> "RepublishAction":
        """From the API's members. Raises InvalidRequest and SqlParse."""
        parameters = read_parameters(KIND, members, Parameters)
        if parameters.headers is not None:
            names = ", ".join(sorted(parameters.headers)) or "none given"
            raise InvalidRequest(f'action "{KIND}": headers of MQTT 5 are not supported yet ({names})')
        if parameters.qos not in (0, 1):
            raise InvalidRequest(f'action "{KIND}": qos must be 0 or 1, it is {parameters.qos}')
        if not _ROLE.fullmatch(parameters.role_arn):
            raise InvalidRequest(f'action "{KIND}": roleArn {parameters.role_arn!r} is not the ARN of a role')
        reserved = parameters.topic.startswith("$$")
        text = parameters.topic[1:] if reserved else parameters.topic
        topic = Template(text, context.statement, f'action "{KIND}": topic')
        if topic.constant:
            try:
                _check(text, reserved)
            except InvalidTopic as error:
                raise InvalidRequest(f'action "{KIND}": {error}') from error
        return cls(context.rule, topic, reserved=reserved, qos=parameters.qos, publisher=context.publisher)

    async def run(self, firing: Firing) -> None:
        topic = self._topic.render(firing.event)
        hops = firing.message.origin.hops + 1
        if hops > MAX_HOPS:
            raise ActionFailed(
                f"rule {self._rule} is part of a loop: the message has been republished {MAX_HOPS} times and would now "
                f"go to {topic!r}; narrow the FROM filter or the WHERE clause of a rule on the way",
                resource=topic,
            )
        try:
            _check(topic, self._reserved)
            # The rule publishes in its own right: it is neither the device's connection nor its certificate that does.
            await self._publisher.publish(Message(topic, firing.output, self._qos, origin=Origin(hops=hops)))
        except InvalidTopic as error:
            raise ActionFailed(f"cannot republish: {error}", resource=topic) from error
        except ServiceError as error:
            raise ActionFailed(
                f"cannot republish: {error.message}", resource=topic, transient=is_transient(error)
            ) from error


def _check(topic: str, reserved: bool) -> None:
    check_topic(topic)
    if topic.startswith("$") and not reserved:
        raise InvalidTopic(f"the topic {topic!r} is reserved; to republish there write it as '$$...' in the rule")
    if _JOBS.match(topic):
        raise InvalidTopic(f"the topic {topic!r} belongs to jobs, to which rules cannot republish")
