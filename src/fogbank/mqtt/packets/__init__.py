"""The control packets, one file a family: what each holds, how it is read and written in either version.

`encode(version)` leaves out what a version cannot say: in 3.1.1 properties and most reason codes.
"""

from fogbank.mqtt.packets.acknowledge import Puback, Pubcomp, Pubrec, Pubrel
from fogbank.mqtt.packets.auth import Auth
from fogbank.mqtt.packets.connack import RETURN_CODES, Connack, ReturnCode, return_code
from fogbank.mqtt.packets.connect import Connect, Will
from fogbank.mqtt.packets.disconnect import Disconnect
from fogbank.mqtt.packets.plain import DISCONNECT, PINGREQ, PINGRESP, check_empty
from fogbank.mqtt.packets.publish import Publish
from fogbank.mqtt.packets.subscribe import FAILURE, Suback, Subscribe, Subscription
from fogbank.mqtt.packets.unsubscribe import Unsuback, Unsubscribe

__all__ = [
    "DISCONNECT",
    "FAILURE",
    "PINGREQ",
    "PINGRESP",
    "RETURN_CODES",
    "Auth",
    "Connack",
    "Connect",
    "Disconnect",
    "Puback",
    "Pubcomp",
    "Publish",
    "Pubrec",
    "Pubrel",
    "ReturnCode",
    "Suback",
    "Subscribe",
    "Subscription",
    "Unsuback",
    "Unsubscribe",
    "Will",
    "check_empty",
    "return_code",
]
