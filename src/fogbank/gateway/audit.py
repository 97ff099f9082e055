"""The audit log: who did what, when and from where, a JSON line for each, in the words of AWS CloudTrail's records.

Written are the calls that change something, and those that were refused for want of a right; not what only reads, and
not the data plane, as CloudTrail's management events. A line is on disk before the call is answered. What the models
call sensitive does not get in, bytes do not either, and long texts are cut.
"""

import logging
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.model import ServiceModel, Shape
from fogbank.awswire.routes import DEVICE_SERVICES
from fogbank.awswire.timestamps import to_second
from fogbank.clock import Clock
from fogbank.errors import ServiceError
from fogbank.gateway.call import Caller
from fogbank.gateway.exchange import Exchange
from fogbank.gateway.pages import Visit
from fogbank.ports import LineLog, StorageError

log = logging.getLogger(__name__)

READING = ("Get", "List", "Describe", "Search", "Test", "Simulate", "Validate")
"""How operations that change nothing begin."""
DATA_EVENTS = frozenset({("lambda", "Invoke"), ("lambda", "InvokeAsync"), ("lambda", "InvokeWithResponseStream")})
REFUSALS = (401, 403)
LONGEST_TEXT = 1024
MOST_ITEMS = 64
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""CloudTrail's words."""


class Audit:
    """Writes the log of one instance."""

    def __init__(self, lines: LineLog, arns: Arns, clock: Clock) -> None:
        self._lines = lines
        self._arns = arns
        self._clock = clock

    async def of_call(self, exchange: Exchange, error: Exception | None) -> None:
        """Write down a request that has come as far as its operation and its parameters, if it is one to write down."""
        service = exchange.service
        if service is None or service.name in DEVICE_SERVICES or not hasattr(exchange, "params"):
            return
        operation = exchange.route.operation
        refused = isinstance(error, ServiceError) and error.status in REFUSALS
        if (service.name, operation.name) in DATA_EVENTS or (operation.name.startswith(READING) and not refused):
            return
        shown: Any = None
        if operation.input is not None:
            shown = _shown(exchange.params, service.model.shapes[operation.input.shape], service.model)
        key = None if exchange.claim is None else exchange.claim.key_id
        agent = exchange.request.headers.get("user-agent", "")
        await self._write(service.name, operation.name, exchange.caller, key, agent, shown, exchange.request_id, error)

    async def of_page(self, event: str, visit: Visit, error: Exception | None) -> None:
        """Write down what was done through a page."""
        assert visit.caller is not None, "what anyone may do is nobody's doing"
        agent = visit.request.headers.get("user-agent", "")
        await self._write("fogbank", event, visit.caller, None, agent, dict(visit.names), visit.request_id, error)

    async def _write(
        self,
        service: str,
        name: str,
        caller: Caller,
        key: str | None,
        agent: str,
        params: Any,
        request_id: str,
        error: Exception | None,
    ) -> None:
        event = {
            "eventTime": to_second(self._clock.time()),
            "eventSource": f"{service}.amazonaws.com" if service != "fogbank" else service,
            "eventName": name,
            "awsRegion": self._arns.region,
            "sourceIPAddress": caller.source_ip,
            "userAgent": agent[:LONGEST_TEXT],
            "userIdentity": {
                "type": _type_of(caller),
                "principalId": caller.principal,
                "arn": caller.arn,
                "accountId": self._arns.account,
                "accessKeyId": key,
            },
            "requestParameters": params,
            "requestID": request_id,
        }
        if error is not None:
            modelled = isinstance(error, ServiceError)
            event["errorCode"] = error.code if isinstance(error, ServiceError) else "InternalFailure"
            event["errorMessage"] = str(error)[:LONGEST_TEXT] if modelled else ""
        try:
            await self._lines.append(msgspec.json.encode(event))
        except StorageError as trouble:  # what was done is done, and its caller is to know that
            log.error("the audit log lacks %s of %s: %s", name, caller.arn, trouble)


def _type_of(caller: Caller) -> str:
    if caller.device is None:
        return "Root"
    kinds = {":assumed-role/": "AssumedRole", ":user/": "IAMUser", ":root": "Root"}
    return next((type_ for part, type_ in kinds.items() if part in caller.arn), "Certificate")


def _shown(value: Any, shape: Shape, model: ServiceModel) -> Any:
    """A parameter as the log has it."""
    if value is None:
        return None
    if shape.sensitive:
        return HIDDEN
    if isinstance(value, dict):
        shapes = {} if shape.type == "map" else {name: ref.shape for name, ref in shape.members.items()}
        of_all = shape.value.shape if shape.value is not None else None
        return {
            _cut(str(name)): _shown(one, model.shapes[known], model) if (known := shapes.get(name, of_all)) else "..."
            for name, one in list(value.items())[:MOST_ITEMS]
        }
    if isinstance(value, list):
        assert shape.member is not None, "a list has items"
        return [_shown(one, model.shapes[shape.member.shape], model) for one in value[:MOST_ITEMS]]
    if isinstance(value, bytes | bytearray):
        return f"({len(value)} bytes)"
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
