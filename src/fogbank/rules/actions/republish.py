"""The action `republish`: publish the result of SELECT to another topic.

Developer Guide, "Republish" rule action. A reserved topic is written with two dollar signs, `$$aws/things/...`; only
those in the text of the rule itself count, so that a device cannot reach a reserved topic by what it puts into a
payload. Topics of jobs are not supported there, nor here; nor are those of events, which the platform alone tells.

AWS warns of rules that feed each other and stops none. Here a message carries how many republish actions it has been
through, and the one that would pass `MAX_HOPS` fails, telling by name which rule it was.
"""

import asyncio
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence

import msgspec

from fogbank.errors import FogbankError, InvalidRequest, ServiceError
from fogbank.message import NO_PROPERTIES, Message, MessageProperties, Origin
from fogbank.ports import StorageError
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Need,
    Plan,
    Results,
    SingleAction,
    is_transient,
)
from fogbank.rules.templates import Template
from fogbank.topics import InvalidTopic, check_topic, is_event

KIND = "republish"

MAX_HOPS = 16
"""Republish actions in a row that one message may cause; a chain made on purpose is far shorter. It is also about
where AWS cuts recursive invocations of a function."""

MOST = 64
"""Messages published in one go: enough that what a task costs no longer counts, and a millisecond or two at most."""

MAX_USER_PROPERTIES = 100

MAX_EXPIRY = 2**32 - 1
"""Seconds that MQTT 5 can tell."""

FORMATS = {"UNSPECIFIED_BYTES": 0, "UTF8_DATA": 1}
"""Payload format indicators by the names that the API has for them."""

_JOBS = re.compile(r"\$aws/things/[^/]+/jobs/")


class UserProperty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The API's UserProperty."""

    key: str
    value: str


class Headers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's MqttHeaders."""

    payload_format_indicator: str | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation_data: str | None = None
    """In base64."""
    message_expiry: str | None = None
    """Seconds."""
    user_properties: tuple[UserProperty, ...] = ()


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The API's RepublishAction."""

    topic: str
    role_arn: str
    qos: int = 0
    headers: Headers = Headers()


class RepublishAction(SingleAction):
    """Publishes to a topic."""

    kind = KIND
    title = "RepublishAction"
    parameters = Parameters
    most = MOST

    def __init__(self, parameters: Parameters, context: Context) -> None:
        # Only the dollar signs of the rule itself make a topic reserved.
        self._reserved = parameters.topic.startswith("$$")
        text = parameters.topic[1:] if self._reserved else parameters.topic
        super().__init__(text, parameters.role_arn)
        if parameters.qos not in (0, 1):
            raise InvalidRequest(f'action "{KIND}": qos must be 0 or 1, it is {parameters.qos}')
        self._rule = context.rule
        self._arns = context.arns
        self._publisher = context.publisher
        self._qos = parameters.qos
        self.durable = parameters.qos > 0
        self._topic = context.template(KIND, "topic", text)
        self._headers = HeaderTemplates(parameters.headers, context)
        if self._topic.constant:
            try:
                _check(text, self._reserved)
            except InvalidTopic as error:
                raise InvalidRequest(f'action "{KIND}": {error}') from error

    def plan(self, firing: Firing) -> Plan:
        topic = firing.render(self._topic)
        hops = firing.message.origin.hops + 1
        if hops > MAX_HOPS:
            raise ActionFailed(
                f"rule {self._rule} is part of a loop: the message has been republished {MAX_HOPS} times and would now "
                f"go to {topic!r}; narrow the FROM filter or the WHERE clause of a rule on the way",
                resource=topic,
            )
        try:
            _check(topic, self._reserved)
        except InvalidTopic as error:
            raise ActionFailed(f"cannot republish: {error}", resource=topic) from error
        # The rule publishes in its own right: it is neither the device's connection nor its certificate that does.
        message = Message(
            topic,
            firing.output,
            self._qos,
            origin=Origin(hops=hops),
            properties=self._headers.properties(firing, topic),
            expires_at=self._headers.expires_at(firing, topic),
        )
        return Plan(topic, message, Need("iot:Publish", self._arns.iot("topic", topic)))

    async def perform(self, plans: Sequence[Plan]) -> Results:
        if self._qos:
            # All are under way, in order, before the first waits for the disk: so they share one wait.
            return await asyncio.gather(*(self._publish(plan) for plan in plans))
        return [await self._publish(plan) for plan in plans]

    async def _publish(self, plan: Plan) -> ActionFailed | None:
        """Whatever goes wrong is told of this plan alone: others of its batch are published already."""
        try:
            await self._publisher.publish(plan.request)
        except Exception as error:
            failed = ActionFailed(
                f"cannot republish: {error if isinstance(error, FogbankError) else repr(error)}",
                resource=plan.resource,
                transient=isinstance(error, StorageError) or (isinstance(error, ServiceError) and is_transient(error)),
                unforeseen=None if isinstance(error, FogbankError) else error,
            )
            failed.__cause__ = error
            return failed
        return None


class HeaderTemplates:
    """The headers of a republish action; what is empty for a message is left out."""

    def __init__(self, headers: Headers, context: Context) -> None:
        """Raises InvalidRequest and SqlParse."""

        def template(field: str, text: str | None) -> Template:
            return context.template(KIND, f"headers.{field}", text or "")

        self._format = template("payloadFormatIndicator", headers.payload_format_indicator)
        self._content_type = template("contentType", headers.content_type)
        self._response_topic = template("responseTopic", headers.response_topic)
        self._correlation = template("correlationData", headers.correlation_data)
        self._expiry = template("messageExpiry", headers.message_expiry)
        if len(headers.user_properties) > MAX_USER_PROPERTIES:
            raise InvalidRequest(f'action "{KIND}": there are at most {MAX_USER_PROPERTIES} userProperties')
        self._user = [
            (template("userProperties.key", one.key), template("userProperties.value", one.value))
            for one in headers.user_properties
        ]
        texts = (self._format, self._content_type, self._response_topic, self._correlation)
        self._none = not self._user and all(one.constant and not one.text for one in texts)
        if self._format.constant and self._format.text and self._format.text not in FORMATS:
            raise InvalidRequest(
                f'action "{KIND}": payloadFormatIndicator must be one of {", ".join(FORMATS)}, '
                f"it is {self._format.text!r}"
            )

    def properties(self, firing: Firing, resource: str) -> MessageProperties:
        """What goes along with the message. Raises ActionFailed."""
        if self._none:
            return NO_PROPERTIES
        format_ = firing.render(self._format)
        if format_ and format_ not in FORMATS:
            raise ActionFailed(
                f"payloadFormatIndicator must be one of {', '.join(FORMATS)}, it is {format_!r}", resource=resource
            )
        response_topic = firing.render(self._response_topic) or None
        try:
            correlation = b64decode(firing.render(self._correlation), validate=True) or None
            if response_topic is not None:
                check_topic(response_topic)
        except Base64Error as error:
            raise ActionFailed(f"correlationData is not base64: {error}", resource=resource) from error
        except InvalidTopic as error:
            raise ActionFailed(f"responseTopic: {error}", resource=resource) from error
        return MessageProperties(
            payload_format=FORMATS[format_] if format_ else None,
            content_type=firing.render(self._content_type) or None,
            response_topic=response_topic,
            correlation_data=correlation,
            user_properties=tuple((firing.render(key), firing.render(value)) for key, value in self._user),
        )

    def expires_at(self, firing: Firing, resource: str) -> float | None:
        """Seconds since the epoch; counted from when the message came. Raises ActionFailed."""
        seconds = firing.render(self._expiry)
        if not seconds:
            return None
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(MAX_EXPIRY))):
            raise ActionFailed(f"messageExpiry must be a number of seconds, it is {seconds!r}", resource=resource)
        return firing.event.timestamp_ms / 1000 + min(int(seconds), MAX_EXPIRY)


def _check(topic: str, reserved: bool) -> None:
    check_topic(topic)
    if topic.startswith("$") and not reserved:
        raise InvalidTopic(f"the topic {topic!r} is reserved; to republish there write it as '$$...' in the rule")
    if _JOBS.match(topic):
        raise InvalidTopic(f"the topic {topic!r} belongs to jobs, to which rules cannot republish")
    if is_event(topic):
        raise InvalidTopic(f"on the topic {topic!r} the platform alone publishes")
