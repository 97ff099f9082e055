"""The MQTT language, 3.1.1 and 5.0: bytes to packets and back. Pure: no sockets, no clock, no state beyond the bytes.

What concerns one packet by itself is checked here. What depends on who sent it, on the session or on what was agreed in
CONNECT (topic aliases, receive maximum, subscription identifiers from a client, ...) is the broker's.
"""

from fogbank.mqtt.properties import NO_PROPERTIES, Properties
from fogbank.mqtt.reasons import ReasonCode
from fogbank.mqtt.version import Version

__all__ = ["NO_PROPERTIES", "Properties", "ReasonCode", "Version"]
