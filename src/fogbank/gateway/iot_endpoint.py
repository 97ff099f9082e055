"""DescribeEndpoint: the address that a device connects to.

AWS answers a bare host name, since its ports are fixed, and the device SDKs take it as a host name: they add 8883, or
443 with ALPN, themselves and cannot resolve `host:port`. So the answer is the bare host where MQTT listens on one of
AWS's ports, which the default does, and `host:port` elsewhere: a caller who asks for odd ports must give the port to
the SDK anyway and finds it here. The port named is the MQTT one; HTTPS is served on it too.
"""

from collections.abc import Callable

import msgspec

from fogbank.errors import InvalidRequest
from fogbank.gateway.call import Call, Members, operation

_DATA = ("iot:Data", "iot:Data-ATS", "iot:Data-Beta")
_HTTPS = ("iot:CredentialProvider", "iot:Jobs")
_AWS_MQTT_PORTS = (8883, 443)
_AWS_HTTPS_PORTS = (443,)


class Endpoint(msgspec.Struct, frozen=True):
    """Where devices reach this instance: a name or address that its server certificate bears, and the ports."""

    host: str
    mqtt_port: int
    https_port: int

    @property
    def data(self) -> str:
        """Where MQTT is, as DescribeEndpoint answers it."""
        return self.host if self.mqtt_port in _AWS_MQTT_PORTS else self._with(self.mqtt_port)

    @property
    def https(self) -> str:
        """Where HTTPS alone is spoken."""
        return self.host if self.https_port in _AWS_HTTPS_PORTS else self._with(self.https_port)

    def _with(self, port: int) -> str:
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"


class IotEndpointApi:
    """DescribeEndpoint. `endpoint` is asked on every call, since ports may be chosen after this is built."""

    def __init__(self, endpoint: Callable[[], Endpoint]) -> None:
        self._endpoint = endpoint

    @operation("iot", "DescribeEndpoint")
    async def describe_endpoint(self, call: Call) -> Members:
        type_ = call.params.get("endpointType") or "iot:Data"
        if type_ in _HTTPS:
            return {"endpointAddress": self._endpoint().https}
        if type_ not in _DATA:
            raise InvalidRequest(f"Endpoint type {type_!r} is not valid; use iot:Data-ATS")
        return {"endpointAddress": self._endpoint().data}
