"""Publishing over HTTP: `POST /topics/{topic}?qos=1`. (Developer guide, "HTTPS"; API reference, Publish)"""

from fogbank.broker.quotas import Quotas
from fogbank.broker.rates import AccountRates
from fogbank.broker.retained import RetainedFull
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, Throttling
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.mqtt_message import MessageReader
from fogbank.ports import Publisher
from fogbank.rules.ingest import PREFIX as BASIC_INGEST
from fogbank.trace import Trace


class IotPublishApi:
    """Publish."""

    def __init__(
        self,
        publisher: Publisher,
        rights: DeviceRights,
        quotas: Quotas,
        clock: Clock,
        trace: Trace,
        rates: AccountRates | None = None,
    ) -> None:
        self._publisher = publisher
        self._rights = rights
        self._quotas = quotas
        self._reader = MessageReader(quotas, clock)
        self._trace = trace
        self._rates = rates

    @operation("iot-data", "Publish")
    async def publish(self, call: Call) -> Members:
        """Answers when the message is as durable as its quality of service asks. What it answers is not in the model,
        but in the developer guide."""
        retain = bool(call.params.get("retain"))
        message = self._reader.read(call, qos=call.params.get("qos") or 0, retain=retain)
        topic = message.topic
        if retain:
            self._check_retaining(topic)
        await self._rights.check(call, "topic", topic, kind="publish")
        if retain:
            await self._rights.check(call, "topic", topic, action="RetainPublish", kind="publish")
        self._check_rates(call.caller.principal, topic, retain=retain)
        try:
            await self._publisher.publish(message)
        except RetainedFull as full:
            raise Throttling(str(full)) from None
        self._trace.emit("publish", "success", topic=topic, principal=call.caller.principal)
        return {"message": "OK", "traceId": call.request_id}

    def _check_retaining(self, topic: str) -> None:
        """Raises InvalidRequest where nothing is retained on this topic: Basic Ingest has nobody to keep it for."""
        if topic.startswith(BASIC_INGEST):
            raise InvalidRequest(f"no message is retained on {topic!r}: it goes to the rule and nowhere else")
        if topic.startswith("$") and not self._quotas.retained_reserved:
            raise InvalidRequest(f"no message is retained on {topic!r}: topics that begin with $ are reserved")

    def _check_rates(self, principal: str, topic: str, *, retain: bool) -> None:
        """Raises Throttling where the account's rates bind and have been passed."""
        rates = self._rates
        if rates is None:
            return
        excess = rates.publish(principal) or (rates.retain(principal, topic) if retain else None)
        if excess:
            raise Throttling(excess)
