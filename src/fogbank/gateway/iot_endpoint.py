"""DescribeEndpoint: the address that a device connects to.

AWS answers a bare host name, since its ports are fixed, and the device SDKs take it as a host name: they add 8883, or
443 with ALPN, themselves and cannot resolve `host:port`. So the answer is the bare host where MQTT listens on one of
AWS's ports, which the default does, and `host:port` elsewhere: a caller who asks for odd ports must give the port to
the SDK anyway and finds it here. The port named is the MQTT one; HTTPS is served on it too.
"""

from collections.abc import Callable

import msgspec

from fogbank.errors import InvalidRequest, NotImplementedByFogbank
from fogbank.gateway.call import Call, Members, operation

_DATA = ("iot:Data", "iot:Data-ATS", "iot:Data-Beta")
_LATER = ("iot:CredentialProvider", "iot:Jobs")
_AWS_MQTT_PORTS = (8883, 443)


class Endpoint(msgspec.Struct, frozen=True):
    """Where devices reach this instance: a name or address that its server certificate bears, and the MQTT port."""

    host: str
    mqtt_port: int

    @property
    def address(self) -> str:
        """As DescribeEndpoint answers it."""
        if self.mqtt_port in _AWS_MQTT_PORTS:
            return self.host
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.mqtt_port}"


class IotEndpointApi:
    """DescribeEndpoint. `endpoint` is asked on every call, since ports may be chosen after this is built."""

    def __init__(self, endpoint: Callable[[], Endpoint]) -> None:
        self._endpoint = endpoint

    @operation("iot", "DescribeEndpoint")
    async def describe_endpoint(self, call: Call) -> Members:
        type_ = call.params.get("endpointType") or "iot:Data"
        if type_ in _LATER:
            raise NotImplementedByFogbank(f"DescribeEndpoint: {type_} is not supported by Fogbank yet")
        if type_ not in _DATA:
            raise InvalidRequest(f"Endpoint type {type_!r} is not valid; use iot:Data-ATS")
        return {"endpointAddress": self._endpoint().address}
