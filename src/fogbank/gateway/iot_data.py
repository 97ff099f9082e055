"""The IoT data plane over HTTP: shadows and publishing, for apps with an access key and devices with a certificate.

Account keys have all rights for now; what a device may do, its IoT policies say, as over MQTT.
"""

from typing import Protocol

from fogbank.arns import Arns
from fogbank.broker.quotas import Quotas
from fogbank.clock import Clock
from fogbank.errors import Forbidden, InvalidRequest, NotImplementedByFogbank, RequestEntityTooLarge
from fogbank.gateway.call import Call, Caller, Members, operation
from fogbank.message import Message, Origin
from fogbank.policy import Decision, PolicySet, connection_variables
from fogbank.ports import PrincipalStore, Publisher
from fogbank.shadows.service import ShadowService
from fogbank.topics import InvalidTopic, check_topic
from fogbank.trace import Trace

NAMES_PER_PAGE = 25
"""Of ListNamedShadowsForThing where the request does not say. UNVERIFIED; the model allows 1 to 100."""

_MQTT5_MEMBERS = (
    "userProperties",
    "payloadFormatIndicator",
    "contentType",
    "responseTopic",
    "correlationData",
    "messageExpiry",
)


class Authorize(Protocol):
    """Decides what a device may do."""

    async def __call__(self, caller: Caller, action: str, resource: str) -> Decision: ...


def by_policies(principals: PrincipalStore) -> Authorize:
    """Decide by the policies of the device, those of certificates being known to `principals`.

    Over HTTP a device stands for no thing (iot-policy-variables).
    """

    async def authorize(caller: Caller, action: str, resource: str) -> Decision:
        if caller.device is None:
            return Decision(False, f"{caller.principal} is not a device")
        grant = await (caller.principals or principals).grant(caller.device, None)
        variables = connection_variables(caller.device, source_ip=caller.source_ip, domain_name=caller.server_name)
        return PolicySet.compile(grant.policies).bind(variables).decide(action, resource)

    return authorize


class IotDataApi:
    """GetThingShadow, UpdateThingShadow, DeleteThingShadow, ListNamedShadowsForThing and Publish."""

    def __init__(
        self,
        shadows: ShadowService,
        publisher: Publisher,
        authorize: Authorize,
        arns: Arns,
        clock: Clock,
        quotas: Quotas,
        trace: Trace,
    ) -> None:
        self._shadows = shadows
        self._publisher = publisher
        self._authorize = authorize
        self._arns = arns
        self._clock = clock
        self._quotas = quotas
        self._trace = trace

    @operation("iot-data", "GetThingShadow")
    async def get_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.get(thing, name)}

    @operation("iot-data", "UpdateThingShadow")
    async def update_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.update(thing, name, call.params["payload"])}

    @operation("iot-data", "DeleteThingShadow")
    async def delete_thing_shadow(self, call: Call) -> Members:
        thing, name = await self._shadow(call)
        return {"payload": await self._shadows.delete(thing, name)}

    @operation("iot-data", "ListNamedShadowsForThing")
    async def list_named_shadows_for_thing(self, call: Call) -> Members:
        thing = call.params["thingName"]
        await self._check(call, "thing", thing)
        limit = call.params.get("pageSize") or NAMES_PER_PAGE
        page = await self._shadows.names(thing, limit, call.params.get("nextToken"))
        return {"results": page.names, "nextToken": page.next_token, "timestamp": int(self._clock.time())}

    @operation("iot-data", "Publish")
    async def publish(self, call: Call) -> Members:
        topic, payload = call.params["topic"], call.params.get("payload") or b""
        self._check_message(topic, payload)
        refused = [member for member in _MQTT5_MEMBERS if call.params.get(member) is not None]
        if call.params.get("retain"):
            refused.append("retain")
        if refused:
            raise NotImplementedByFogbank(
                f"Publish: {', '.join(refused)} is not supported by Fogbank yet; leave it out"
            )
        await self._check(call, "topic", topic)
        origin = Origin(call.caller.principal, source_ip=call.caller.source_ip)
        await self._publisher.publish(Message(topic, payload, call.params.get("qos") or 0, origin=origin))
        self._trace.emit("publish", "success", topic=topic, principal=call.caller.principal)
        return {}

    async def _shadow(self, call: Call) -> tuple[str, str | None]:
        """The thing and shadow name, where the caller may do to them what the operation does."""
        thing, name = call.params["thingName"], call.params.get("shadowName")
        await self._check(call, "thing", thing if name is None else f"{thing}/{name}")
        return thing, name

    async def _check(self, call: Call, kind: str, name: str) -> None:
        """Raise Forbidden, with the reason, where the caller is a device that may not."""
        if call.caller.device is None:
            return
        decision = await self._authorize(call.caller, f"iot:{call.operation}", self._arns.iot(kind, name))
        if not decision.allowed:
            if self._trace.active:
                about = {"topic": name} if kind == "topic" else {"name": name}
                what = "publish" if kind == "topic" else "shadow"
                principal = call.caller.principal
                self._trace.emit(what, "denied", reason=decision.reason, principal=principal, **about)
            raise Forbidden(decision.reason)

    def _check_message(self, topic: str, payload: bytes) -> None:
        try:
            check_topic(topic)
        except InvalidTopic as error:
            raise InvalidRequest(str(error)) from None
        if problem := self._quotas.topic_problem(topic):
            raise InvalidRequest(problem)
        if len(payload) > self._quotas.max_payload:
            raise RequestEntityTooLarge(f"the payload has {len(payload)} bytes; {self._quotas.max_payload} are allowed")
