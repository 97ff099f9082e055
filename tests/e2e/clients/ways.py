"""All ways in which real clients come: a library, a version of MQTT, and what is shown at the door."""

import msgspec
from tests.e2e.clients.base import Door, Version

V3, V5 = Version.V3_1_1, Version.V5


class Way(msgspec.Struct, frozen=True):
    """One of them."""

    library: str
    version: Version
    door: Door

    def __str__(self) -> str:
        return f"{self.library}-{'v3' if self.version is V3 else 'v5'}-{self.door.value}"

    @property
    def tells_of_publishing(self) -> bool:
        """Whether PUBACK has a reason code, and the library hands it over."""
        return self.version is V5 and self.library != "aiomqtt"


WAYS = [
    *(Way("awsiotsdk", version, door) for version in (V3, V5) for door in Door),
    *(Way("paho", version, door) for version in (V3, V5) for door in (Door.CERTIFICATE, Door.SIGV4)),
    Way("paho", V5, Door.AUTHORIZER_BY_WEBSOCKET),
    *(Way("aiomqtt", version, door) for version in (V3, V5) for door in (Door.CERTIFICATE, Door.SIGV4)),
    *(Way("mqttjs", version, door) for version in (V3, V5) for door in (Door.CERTIFICATE, Door.SIGV4)),
]
MQTT5 = [way for way in WAYS if way.version is V5]
BOUND = [way for way in WAYS if way.door is not Door.SIGV4]
"""Those that a policy of the test's own binds; the access key may do everything."""
BY_AUTHORIZER = [way for way in WAYS if way.door in (Door.AUTHORIZER, Door.AUTHORIZER_BY_WEBSOCKET)]
ALIASING = [way for way in MQTT5 if way.library in ("awsiotsdk", "mqttjs")]
"""Those whose libraries use topic aliases by themselves."""
