"""The versions of MQTT that are spoken, by the protocol level that CONNECT names."""

import enum


class Version(enum.IntEnum):
    """The protocol level. (MQTT 3.1.1, 3.1.2.2; MQTT 5.0, 3.1.2.2)"""

    V3_1_1 = 4
    V5 = 5
