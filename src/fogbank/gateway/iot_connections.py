"""The connections API: looking at MQTT clients, ending them, and talking to one of them. (API reference)"""

from fogbank.broker.connections import Connections, ConnectionStatus
from fogbank.broker.direct import DirectMessages
from fogbank.broker.quotas import Quotas
from fogbank.broker.rates import AccountRates
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest, Throttling
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.device_rights import DeviceRights
from fogbank.gateway.mqtt_message import MessageReader
from fogbank.gateway.page_token import read_token, write_token
from fogbank.policy import direct_message_context
from fogbank.trace import Trace

SUBSCRIPTIONS_PER_PAGE = 20
"""Where ListSubscriptions does not say. (API reference)"""
CONFIRMATION = (1, 5, 15)
"""Seconds that SendDirectMessage waits for a confirmation: least, where the request does not say, most."""


class IotConnectionsApi:
    """GetConnection, DeleteConnection, ListSubscriptions and SendDirectMessage."""

    def __init__(
        self,
        connections: Connections,
        direct: DirectMessages,
        rights: DeviceRights,
        quotas: Quotas,
        clock: Clock,
        trace: Trace,
        rates: AccountRates | None = None,
    ) -> None:
        self._connections = connections
        self._direct = direct
        self._rights = rights
        self._reader = MessageReader(quotas, clock)
        self._trace = trace
        self._rates = rates

    @operation("iot-data", "GetConnection")
    async def get_connection(self, call: Call) -> Members:
        client_id, with_socket = call.params["clientId"], bool(call.params.get("includeSocketInformation"))
        context = {"iot:IncludeSocketInformation": "true" if with_socket else "false"}
        await self._rights.check(call, "client", client_id, context=context, kind="connect")
        self._check_rates(call, client_id)
        status = self._connections.get(client_id)
        return _described(status) | (_socket(status) if with_socket else {})

    @operation("iot-data", "DeleteConnection")
    async def delete_connection(self, call: Call) -> Members:
        client_id = call.params["clientId"]
        await self._rights.check(call, "client", client_id, kind="disconnect")
        self._check_rates(call, client_id)
        clean, without_will = call.params.get("cleanSession"), call.params.get("preventWillMessage")
        await self._connections.end(client_id, clean=bool(clean), without_will=bool(without_will))
        return {}

    @operation("iot-data", "ListSubscriptions")
    async def list_subscriptions(self, call: Call) -> Members:
        client_id = call.params["clientId"]
        await self._rights.check(call, "client", client_id, kind="subscribe")
        self._check_rates(call, client_id)
        limit = call.params.get("maxResults") or SUBSCRIPTIONS_PER_PAGE
        page = self._connections.subscriptions(client_id, read_token(call.params.get("nextToken")), limit)
        return {
            "subscriptions": [{"topicFilter": filter_, "qos": qos} for filter_, qos in page.subscriptions],
            "nextToken": write_token(page.subscriptions[-1][0]) if page.more else None,
        }

    @operation("iot-data", "SendDirectMessage")
    async def send_direct_message(self, call: Call) -> Members:
        client_id = call.params["clientId"]
        message = self._reader.read(call)
        if message.topic.startswith("$"):
            raise InvalidRequest(f"the topic {message.topic!r} begins with $, which direct messages may not")
        within = _confirmation(call.params)
        context = direct_message_context(message.topic)
        await self._rights.check(call, "client", client_id, context=context, kind="publish")
        if self._rates is not None and (excess := self._rates.direct(client_id)):
            raise Throttling(excess)
        await self._direct.send(client_id, message, within)
        if self._trace.active:
            principal, detail = call.caller.principal, {"direct": True, "confirmed": within is not None}
            self._trace.emit(
                "publish", "success", topic=message.topic, client_id=client_id, principal=principal, detail=detail
            )
        return {"message": "OK", "traceId": call.request_id}

    def _check_rates(self, call: Call, client_id: str) -> None:
        """Raises Throttling where the operation's rates bind and have been passed."""
        if self._rates is not None and (excess := self._rates.call(call.operation, client_id)):
            raise Throttling(excess)


def _confirmation(params: Members) -> int | None:
    """Seconds to wait for PUBACK; None: it is not waited for."""
    if not params.get("confirmation"):
        return None
    least, default, most = CONFIRMATION
    seconds: int = params.get("timeout", default)
    if not least <= seconds <= most:
        raise InvalidRequest(f"timeout is {seconds}; it must be {least} to {most} seconds")
    return seconds


def _described(status: ConnectionStatus) -> Members:
    since = None if status.since is None else int(status.since * 1000)
    return {
        "clientId": status.client_id,
        "connected": status.connected,
        "thingName": status.thing,
        "cleanSession": status.is_clean,
        "keepAliveDuration": status.keep_alive,
        "sessionExpiry": status.session_expiry,
        "connectedSince" if status.connected else "disconnectedSince": since,
        "disconnectReason": status.reason,
    }


def _socket(status: ConnectionStatus) -> Members:
    return {
        "sourceIp": status.source.ip,
        "sourcePort": status.source.port,
        "targetIp": status.target.ip,
        "targetPort": status.target.port,
    }
