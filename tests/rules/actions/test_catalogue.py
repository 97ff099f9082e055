"""Every action of botocore's model is either made or refused by its name, and so is every parameter."""

import gzip
import json
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import botocore
import msgspec
import pytest
from tests.rules.actions.workbench import ARNS, Workbench

from fogbank.errors import InvalidRequest
from fogbank.rules.actions import (
    cloudwatch_alarm,
    cloudwatch_logs,
    cloudwatch_metric,
    dynamodb,
    dynamodb_v2,
    elasticsearch,
    firehose,
    http,
    iot_analytics,
    iot_events,
    iot_sitewise,
    kafka,
    kinesis,
    lambda_,
    location,
    republish,
    s3,
    sns,
    sqs,
    step_functions,
    timestream,
)
from fogbank.rules.actions.base import Context
from fogbank.rules.actions.catalogue import MAKERS, make_action
from fogbank.sql import parse

PARAMETERS: dict[str, type[msgspec.Struct]] = {
    "cloudwatchAlarm": cloudwatch_alarm.Parameters,
    "cloudwatchLogs": cloudwatch_logs.Parameters,
    "cloudwatchMetric": cloudwatch_metric.Parameters,
    "dynamoDB": dynamodb.Parameters,
    "dynamoDBv2": dynamodb_v2.Parameters,
    "elasticsearch": elasticsearch.Parameters,
    "firehose": firehose.Parameters,
    "http": http.Parameters,
    "iotAnalytics": iot_analytics.Parameters,
    "iotEvents": iot_events.Parameters,
    "iotSiteWise": iot_sitewise.Parameters,
    "kafka": kafka.Parameters,
    "kinesis": kinesis.Parameters,
    "lambda": lambda_.Parameters,
    "location": location.Parameters,
    "openSearch": elasticsearch.Parameters,
    "republish": republish.Parameters,
    "s3": s3.Parameters,
    "sns": sns.Parameters,
    "sqs": sqs.Parameters,
    "stepFunctions": step_functions.Parameters,
    "timestream": timestream.Parameters,
}


def _model() -> dict[str, Any]:
    path = Path(botocore.__file__).parent / "data/iot/2015-05-28/service-2.json.gz"
    return cast(dict[str, Any], json.loads(gzip.decompress(path.read_bytes()))["shapes"])


SHAPES = _model()
ACTIONS: dict[str, str] = {name: ref["shape"] for name, ref in SHAPES["Action"]["members"].items()}


def test_all_but_two_are_there() -> None:
    """Amazon Timestream for InfluxDB and Salesforce's IoT Explorer have nothing here to speak to."""
    assert set(ACTIONS) - set(MAKERS) == {"influxDB", "salesforce"}
    assert set(MAKERS) < set(ACTIONS)


@pytest.mark.parametrize("kind", sorted(set(ACTIONS) - set(MAKERS)))
def test_what_is_not_supported_is_refused_by_name(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=f'action "{kind}" is not supported yet'):
        make_action({kind: {}}, _context())


@pytest.mark.parametrize("members", [{}, {"lambda": None}, {"lambda": {}, "republish": {}}])
def test_an_action_names_exactly_one_type(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="exactly one action type"):
        make_action(members, _context())


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_parameters_are_those_of_the_model(kind: str) -> None:
    _compare(PARAMETERS[kind], ACTIONS[kind], kind)


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_an_unknown_parameter_is_refused_by_name(kind: str) -> None:
    with pytest.raises(InvalidRequest, match=rf'action "{kind}": .*`flavour`'):
        make_action({kind: {"flavour": "x"}}, _context())


@pytest.mark.parametrize("kind", sorted(set(MAKERS) - {"lambda", "republish"}))
def test_without_a_way_out_an_action_is_refused_by_name(kind: str) -> None:
    context = msgspec.structs.replace(_context(), reach=None)
    members = _sample(ACTIONS[kind])
    with pytest.raises(InvalidRequest, match=f'action "{kind}" reaches beyond the platform'):
        make_action({kind: members}, context)
    made = make_action({kind: members}, _context())
    assert (made.kind, made.title[-6:], made.most >= 1) == (kind, "Action", True) or kind == "dynamoDBv2"


def _context() -> Context:
    nothing = cast(Any, None)
    return Context("r", parse("SELECT * FROM 't'"), ARNS, nothing, nothing, Workbench().outside)


def _compare(struct: type[msgspec.Struct], shape: str, where: str) -> None:
    """Members, which of them are required, and the structures among them."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    members = SHAPES[shape]["members"]
    assert set(fields) == set(members), where
    required = {name for name, field in fields.items() if field.required}
    assert required == set(SHAPES[shape].get("required", ())), where
    hints = get_type_hints(struct)
    for name, field in fields.items():
        inner = members[name]["shape"]
        if SHAPES[inner]["type"] == "list":
            inner = SHAPES[inner]["member"]["shape"]
        if SHAPES[inner]["type"] == "structure":
            _compare(_struct_in(hints[field.name]), inner, f"{where}.{name}")


def _struct_in(hint: Any) -> type[msgspec.Struct]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next(_struct_in(part) for part in get_args(hint) if part not in (type(None), Ellipsis))


SAMPLES = {
    "AwsArn": "arn:aws:iam::123456789012:role/r",
    "ElasticsearchEndpoint": "http://localhost:9200",
    "Url": "http://localhost/x",
    "StateValue": "OK",
    "ClientProperties": {"bootstrap.servers": "localhost:9092"},
    "TimestreamTimestampUnit": "SECONDS",
}


def _sample(shape: str) -> Any:
    """What the model requires of a shape."""
    if shape in SAMPLES:
        return SAMPLES[shape]
    described = SHAPES[shape]
    if described["type"] == "structure":
        members = {name: _sample(described["members"][name]["shape"]) for name in described.get("required", ())}
        extra = {
            "PutAssetPropertyValueEntry": {"propertyAlias": "/a"},
            "AssetPropertyVariant": {"stringValue": "x"},
            "IotAnalyticsAction": {"channelName": "c"},
        }
        return members | extra.get(shape, {})
    if described["type"] == "list":
        return [_sample(described["member"]["shape"])]
    return "x"
