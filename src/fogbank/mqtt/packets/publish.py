"""PUBLISH. (3.3)

The broker's hot path takes PUBLISH packets apart by slices and never makes these objects; everything else does.
"""

from typing import Self

import msgspec

from fogbank.mqtt.codec import PacketType, Reader, encode_frame, encode_string
from fogbank.mqtt.errors import MalformedPacket, ProtocolViolation
from fogbank.mqtt.properties import NO_PROPERTIES, Properties, decode_properties, encode_properties
from fogbank.mqtt.version import Version


class Publish(msgspec.Struct, frozen=True):
    """An application message. `packet_id` is 0 at QoS 0; `topic` is empty where a topic alias stands for it."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties = NO_PROPERTIES

    @classmethod
    def decode(cls, first: int, body: bytes, version: Version = Version.V3_1_1) -> Self:
        """Raises ProtocolViolation; whether the topic name is one to publish to is not looked at here."""
        qos = first >> 1 & 3
        if qos == 3:
            raise MalformedPacket("PUBLISH with quality of service 3 [MQTT-3.3.1-4]")
        if qos == 0 and first & 8:
            raise MalformedPacket("PUBLISH with DUP at quality of service 0 [MQTT-3.3.1-2]")
        reader = Reader(body)
        topic = reader.string()  # [MQTT-3.3.2-1]
        packet_id = reader.packet_id() if qos else 0  # [MQTT-2.3.1-5], 5.0: [MQTT-2.2.1-2]
        properties = NO_PROPERTIES
        if version is Version.V5:
            properties = decode_properties(reader, PacketType.PUBLISH)
            if not topic and properties.topic_alias is None:
                raise ProtocolViolation("PUBLISH with neither a topic nor a topic alias (MQTT 5.0, 3.3.2.1)")
        return cls(topic, reader.rest(), qos, bool(first & 1), bool(first & 8), packet_id, properties)

    def encode(self, version: Version = Version.V3_1_1) -> bytes:
        first = PacketType.PUBLISH << 4 | self.dup << 3 | self.qos << 1 | self.retain
        packet_id = self.packet_id.to_bytes(2, "big") if self.qos else b""
        properties = encode_properties(self.properties, PacketType.PUBLISH) if version is Version.V5 else b""
        return encode_frame(first, encode_string(self.topic) + packet_id + properties + self.payload)
