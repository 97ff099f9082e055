"""Topic names and topic filters: validity and matching, by MQTT 3.1.1 section 4.7."""

from fogbank.errors import FogbankError

MAX_BYTES = 65535
"""[MQTT-4.7.3-3]"""
EVENTS = "$aws/events"
"""Below it the platform tells what happens."""


class InvalidTopic(FogbankError):
    """A topic name or filter that MQTT does not allow; the text says which rule it breaks."""


def check_topic(topic: str) -> str:
    """Return `topic`, or raise `InvalidTopic` where it cannot be published to. [MQTT-3.3.2-2] [MQTT-4.7.3-1]"""
    if "+" in topic or "#" in topic:
        raise InvalidTopic(f"the topic name {topic!r} holds a wildcard; only filters may [MQTT-3.3.2-2]")
    return _check_string(topic, "topic name")


def is_event(topic: str) -> bool:
    """Whether the platform alone publishes on `topic`: whoever listens there, a rule that activates devices for one,
    believes what it hears. (AWS IoT developer guide, "Reserved topics": clients may subscribe)"""
    return topic == EVENTS or topic.startswith(f"{EVENTS}/")


def check_filter(filter_: str) -> str:
    """Return `filter_`, or raise `InvalidTopic` where it cannot be subscribed to. [MQTT-4.7.1-2] [MQTT-4.7.1-3]"""
    _check_string(filter_, "topic filter")
    levels = filter_.split("/")
    for depth, level in enumerate(levels):
        if level in ("+", "#"):
            if level == "#" and depth != len(levels) - 1:
                raise InvalidTopic(f"the topic filter {filter_!r} has levels after '#' [MQTT-4.7.1-2]")
        elif "+" in level or "#" in level:
            raise InvalidTopic(f"in the topic filter {filter_!r} a wildcard shares its level [MQTT-4.7.1-3]")
    return filter_


def matches(filter_: str, topic: str) -> bool:
    """Whether a message on `topic` is for a subscription to `filter_`. Both must be valid.

    Wildcards in the first level do not match topics that begin with `$` [MQTT-4.7.2-1]; `sport/#` matches `sport`.
    """
    if topic.startswith("$") and filter_[:1] in ("+", "#"):
        return False
    wanted = filter_.split("/")
    levels = topic.split("/")
    for depth, level in enumerate(wanted):
        if level == "#":
            return True
        if depth >= len(levels) or level not in ("+", levels[depth]):
            return False
    return len(wanted) == len(levels)


def _check_string(text: str, what: str) -> str:
    if not text:
        raise InvalidTopic(f"the {what} is empty [MQTT-4.7.3-1]")
    if "\0" in text:
        raise InvalidTopic(f"the {what} holds a null character [MQTT-4.7.3-2]")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidTopic(f"the {what} is longer than {MAX_BYTES} bytes [MQTT-4.7.3-3]")
    return text
