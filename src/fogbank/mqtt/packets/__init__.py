"""The control packets, one file a family: what each holds, how it is read and written."""

from fogbank.mqtt.packets.connect import Connack, Connect, ReturnCode, Will
from fogbank.mqtt.packets.plain import DISCONNECT, PINGREQ, PINGRESP, check_empty
from fogbank.mqtt.packets.publish import Puback, Publish
from fogbank.mqtt.packets.subscribe import FAILURE, Suback, Subscribe, Unsuback, Unsubscribe

__all__ = [
    "DISCONNECT",
    "FAILURE",
    "PINGREQ",
    "PINGRESP",
    "Connack",
    "Connect",
    "Puback",
    "Publish",
    "ReturnCode",
    "Suback",
    "Subscribe",
    "Unsuback",
    "Unsubscribe",
    "Will",
    "check_empty",
]
