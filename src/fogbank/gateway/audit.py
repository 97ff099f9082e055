"""The audit log: who did what, when and from where, a JSON line for each, in the words of AWS CloudTrail's records.

Written are the calls that change something, and those that were refused for want of a right; not what only reads, and
not the data plane, as CloudTrail's management events; and what devices bring about by themselves, when they are
registered or provisioned. A line is on disk before the call is answered. What the models call sensitive does not get
in, nor what we know to be, bytes do not either, and long texts are cut.
"""

import logging
import re
from typing import Any

import msgspec

from fogbank.arns import Arns
from fogbank.awswire.model import ServiceModel
from fogbank.awswire.routes import DEVICE_SERVICES
from fogbank.awswire.timestamps import to_second
from fogbank.clock import Clock
from fogbank.errors import ServiceError
from fogbank.gateway.call import Caller
from fogbank.gateway.exchange import Exchange
from fogbank.gateway.pages import Visit
from fogbank.ports import Deed, LineLog, StorageError

log = logging.getLogger(__name__)

READING = ("Get", "List", "Describe", "Search", "Test", "Simulate", "Validate")
"""How operations that change nothing begin."""
GIVING = frozenset({("sts", "GetSessionToken")})
"""Those that begin so, and hand out keys."""
DATA_EVENTS = frozenset({("lambda", "Invoke"), ("lambda", "InvokeAsync"), ("lambda", "InvokeWithResponseStream")})
REFUSALS = (401, 403)
LONGEST_TEXT = 1024
MOST_ITEMS = 64
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""CloudTrail's words."""

_SECRET_SHAPES = frozenset({"HeaderValue", "HttpHeaderValue", "HttpQueryString", "MqttUsername", "TokenSignature"})
"""Of HTTP headers that rules send, and of what TestInvokeAuthorizer is given: the models do not call them sensitive."""
_SECRET_NAMES = re.compile(r"^(?!next)\w*token(code)?$|passw|passphrase|secretkey|jaas|private.?key", re.IGNORECASE)
"""Of members, and of the properties that rules give to Kafka's client."""
_CERTIFICATE_ID = re.compile(r"[0-9a-f]{64}")


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
        if (service.name, operation.name) in DATA_EVENTS or (is_reading(service.name, operation.name) and not refused):
            return
        shown: Any = None
        if operation.input is not None:
            shown = _shown(exchange.params, operation.input.shape, service.model)
        key = None if exchange.claim is None else exchange.claim.key_id
        agent = exchange.request.headers.get("user-agent", "")
        await self._write(service.name, operation.name, exchange.caller, key, agent, shown, exchange.request_id, error)

    async def of_page(self, event: str, visit: Visit, error: Exception | None) -> None:
        """Write down what was done through a page."""
        assert visit.caller is not None, "what anyone may do is nobody's doing"
        agent = visit.request.headers.get("user-agent", "")
        names = {name: _cut(value) for name, value in visit.names.items()}
        await self._write("fogbank", event, visit.caller, None, agent, names, visit.request_id, error)

    async def of_device(self, deed: Deed) -> None:
        """Write down what a device has brought about by itself. Port Witness."""
        certificate = _CERTIFICATE_ID.fullmatch(deed.principal) is not None
        event = {
            "eventTime": to_second(self._clock.time()),
            "eventType": "AwsServiceEvent",
            "eventSource": "iot.amazonaws.com",
            "eventName": deed.name,
            "awsRegion": self._arns.region,
            "sourceIPAddress": deed.source_ip,
            "userIdentity": {
                "type": "Certificate" if certificate else "Unknown",
                "principalId": _cut(deed.principal),
                "arn": self._arns.iot("cert", deed.principal) if certificate else None,
                "accountId": self._arns.account,
            },
            "serviceEventDetails": {name: _cut(value) for name, value in deed.details.items()},
        }
        await self._append(event, deed.name, deed.principal)

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
        await self._append(event, name, caller.arn)

    async def _append(self, event: dict[str, Any], name: str, whose: str) -> None:
        try:
            await self._lines.append(msgspec.json.encode(event))
        except StorageError as trouble:  # what was done is done, and its caller is to know that
            log.error("the audit log lacks %s of %s: %s", name, whose, trouble)


def is_reading(service: str, operation: str) -> bool:
    """Whether an operation changes nothing, and gives nobody anything to keep."""
    return operation.startswith(READING) and (service, operation) not in GIVING


def _type_of(caller: Caller) -> str:
    if caller.device is None:
        return "Root"
    kinds = {":assumed-role/": "AssumedRole", ":user/": "IAMUser", ":root": "Root"}
    return next((type_ for part, type_ in kinds.items() if part in caller.arn), "Certificate")


def _shown(value: Any, shape: str, model: ServiceModel, name: str = "") -> Any:
    """A parameter as the log has it; `name` is its member's, or its key's in a map."""
    if value is None:
        return None
    of = model.shapes[shape]
    if of.sensitive or shape in _SECRET_SHAPES or (isinstance(value, str) and _SECRET_NAMES.search(name)):
        return HIDDEN
    if isinstance(value, dict):
        shapes = {} if of.type == "map" else {member: ref.shape for member, ref in of.members.items()}
        of_all = of.value.shape if of.value is not None else None
        return {
            _cut(str(member)): _shown(one, known, model, str(member))
            if (known := shapes.get(member, of_all))
            else "..."
            for member, one in list(value.items())[:MOST_ITEMS]
        }
    if isinstance(value, list):
        assert of.member is not None, "a list has items"
        return [_shown(one, of.member.shape, model, name) for one in value[:MOST_ITEMS]]
    if isinstance(value, bytes | bytearray):
        return f"({len(value)} bytes)"
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
