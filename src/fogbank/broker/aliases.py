"""Topic aliases: small numbers that stand for topics on one connection. (MQTT 5.0, 3.3.2.3.4)"""

from fogbank.mqtt import ReasonCode
from fogbank.mqtt.errors import ProtocolViolation


class Aliases:
    """Towards a client: the first topics that are sent get an alias, as many as the client takes. [MQTT-3.1.2-26]"""

    __slots__ = ("_by_topic", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_topic: dict[bytes, int] = {}

    def of(self, topic: bytes) -> tuple[int, bool]:
        """The alias of a topic, 0 where it gets none, and whether the client knows it already."""
        alias = self._by_topic.get(topic)
        if alias is not None:
            return alias, True
        if len(self._by_topic) >= self._most:
            return 0, False
        alias = self._by_topic[topic] = len(self._by_topic) + 1
        return alias, False


class ClientAliases:
    """From a client: what it has said that its aliases stand for."""

    __slots__ = ("_most", "_topics")

    def __init__(self, most: int) -> None:
        self._most = most
        self._topics: dict[int, str] = {}

    def resolve(self, alias: int | None, topic: str) -> str:
        """The topic of a PUBLISH. Raises ProtocolViolation. [MQTT-3.3.2-7] to [MQTT-3.3.2-12]"""
        if alias is None:
            if not topic:
                raise ProtocolViolation("PUBLISH with neither a topic nor a topic alias (MQTT 5.0, 3.3.2.1)")
            return topic
        if alias > self._most:
            raise ProtocolViolation(
                f"topic alias {alias}; {self._most} are allowed [MQTT-3.3.2-9]", code=ReasonCode.TOPIC_ALIAS_INVALID
            )
        if topic:
            self._topics[alias] = topic
            return topic
        known = self._topics.get(alias)
        if known is None:
            raise ProtocolViolation(f"topic alias {alias} has not been set (MQTT 5.0, 3.3.2.3.4)")
        return known
