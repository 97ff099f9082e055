"""Functions that tell of the message and its sender (developer guide: "Functions")."""

from typing import Final

from fogbank.sql.coercion import whole_number
from fogbank.sql.functions.function import Function
from fogbank.sql.scope import Scope
from fogbank.sql.values import UNDEFINED, Value, from_double


def _topic(scope: Scope, *segment: Value) -> Value:
    topic = scope.event.visible_topic
    if not segment:
        return topic
    index = whole_number(segment[0])
    levels = topic.split("/")
    return UNDEFINED if index is None or not 1 <= index <= len(levels) else levels[index - 1]


def _client_id(scope: Scope) -> Value:
    client_id = scope.event.client_id
    return "n/a" if client_id is None else client_id


def _principal(scope: Scope) -> Value:
    return scope.event.principal


def _account_id(scope: Scope) -> Value:
    return scope.event.account_id


def _timestamp(scope: Scope) -> Value:
    return scope.event.timestamp_ms


def _trace_id(scope: Scope) -> Value:
    return scope.event.trace_id or UNDEFINED


def _source_ip(scope: Scope) -> Value:
    return scope.event.source_ip or UNDEFINED


def _new_uuid(scope: Scope) -> Value:
    return scope.chance.uuid()


def _random(scope: Scope) -> Value:
    return from_double(scope.chance.fraction())


def _sql_version(scope: Scope) -> Value:
    return scope.version.value


def _mqtt_property(scope: Scope, name: Value) -> Value:
    mqtt = scope.event.mqtt
    properties = {
        "content_type": mqtt.content_type,
        "response_topic": mqtt.response_topic,
        "correlation_data": mqtt.correlation_data,
        "format_indicator": mqtt.format_indicator,
    }
    found = properties.get(name) if isinstance(name, str) else None
    return UNDEFINED if found is None else found


def _user_properties(scope: Scope, *key: Value) -> Value:
    pairs = scope.event.mqtt.user_properties
    if not key:
        return [{name: value} for name, value in pairs]
    return [value for name, value in pairs if name == key[0]] or UNDEFINED


FUNCTIONS: Final = (
    Function("topic", _topic, 0, 1, contextual=True),
    Function("clientid", _client_id, 0, 0, contextual=True),
    Function("principal", _principal, 0, 0, contextual=True),
    Function("accountid", _account_id, 0, 0, contextual=True),
    Function("timestamp", _timestamp, 0, 0, contextual=True),
    Function("traceid", _trace_id, 0, 0, contextual=True),
    Function("sourceip", _source_ip, 0, 0, contextual=True),
    Function("newuuid", _new_uuid, 0, 0, contextual=True),
    Function("rand", _random, 0, 0, contextual=True),
    Function("sql_version", _sql_version, 0, 0, contextual=True),
    Function("get_mqtt_property", _mqtt_property, 1, 1, contextual=True),
    Function("get_user_properties", _user_properties, 0, 1, contextual=True),
)
