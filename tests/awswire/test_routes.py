import re
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.awswire.specimens import SERVICES, load, operation, operations

from fogbank.awswire.errors import SerializationError
from fogbank.awswire.http import parse_query
from fogbank.awswire.routes import DEVICE_SERVICES, QUERY_SERVICES, Routes
from fogbank.awswire.routes import SERVICES as SIGNED

ROUTES = {service: Routes(service, load(service)) for service in SERVICES}


@pytest.mark.parametrize(("service", "name"), operations())
def test_each_operation_is_found_where_its_model_puts_it(service: str, name: str) -> None:
    _, op = operation(service, name)
    path, _, query = op.http.request_uri.partition("?")
    labels = re.findall(r"\{(\w+)\+?\}", path)
    filled = re.sub(r"\{(\w+)\+?\}", lambda match: f"value%2F{match[1]}", path)
    route = ROUTES[service].find(op.http.method, filled, parse_query(query))
    assert route is not None
    assert route.operation.name == name
    assert route.labels == {label: f"value/{label}" for label in labels}


@pytest.mark.parametrize(
    ("service", "method", "path", "query", "expected"),
    [
        ("iot", "GET", "/things", "", ("ListThings", {})),
        ("iot", "GET", "/things/", "", ("ListThings", {})),
        ("iot", "GET", "/things/a%20b", "", ("DescribeThing", {"thingName": "a b"})),
        ("iot", "GET", "/things//principals", "", None),
        ("iot", "GET", "/things/a/b/c", "", None),
        ("iot", "PUT", "/things", "", None),
        ("iot", "GET", "/destinations/arn:aws:iot/x/y", "", ("GetTopicRuleDestination", {"arn": "arn:aws:iot/x/y"})),
        ("iot-data", "POST", "/topics/a%2Fb%2F", "qos=1", ("Publish", {"topic": "a/b/"})),
        ("iot-data", "POST", "/topics/a/b", "qos=1", ("Publish", {"topic": "a/b"})),
        ("iot-data", "POST", "/topics/a/b/", "", ("Publish", {"topic": "a/b/"})),
        ("iot-data", "POST", "/topics/$aws/rules/r", "", ("Publish", {"topic": "$aws/rules/r"})),
        ("iot-data", "POST", "/topics/%C3%A4", "", ("Publish", {"topic": "ä"})),
        ("iot-data", "POST", "/topics/", "", None),
        ("lambda", "GET", "/2015-03-31/functions", "", ("ListFunctions", {})),
        ("lambda", "GET", "/2015-03-31/functions/", "", ("ListFunctions", {})),
        ("lambda", "GET", "/2018-10-31/layers", "", ("ListLayers", {})),
        ("lambda", "GET", "/2018-10-31/layers", "find=LayerVersion&Arn=x", ("GetLayerVersionByArn", {})),
        ("lambda", "GET", "/2018-10-31/layers", "find=Other", ("ListLayers", {})),
        (
            "lambda",
            "POST",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Ax%3Ay%3Afunction%3Af/invocations",
            "",
            ("Invoke", {"FunctionName": "arn:aws:lambda:x:y:function:f"}),
        ),
        ("lambda", "GET", "/", "", None),
        ("lambda", "GET", "", "", None),
    ],
)
def test_paths(service: str, method: str, path: str, query: str, expected: tuple[str, dict[str, str]] | None) -> None:
    route = ROUTES[service].find(method, path, parse_query(query))
    assert (route and (route.operation.name, route.labels)) == expected


@given(st.text(min_size=1, max_size=40))
def test_an_encoded_label_comes_back_whole(value: str) -> None:
    value = value.encode(errors="replace").decode()
    route = ROUTES["iot-data"].find("GET", f"/things/{quote(value, safe='')}/shadow", [])
    assert route is not None
    assert route.labels == {"thingName": value}


@given(st.sampled_from(SERVICES), st.sampled_from(["GET", "POST"]), st.text("ab/%2F.{}+", max_size=30))
def test_any_path_is_found_or_not_but_never_a_fault(service: str, method: str, path: str) -> None:
    try:
        route = ROUTES[service].find(method, path, [])
    except SerializationError:
        with pytest.raises(UnicodeDecodeError):
            unquote_to_bytes(path).decode()
        return
    assert route is None or route.operation.http.method == method


def test_a_path_of_very_many_segments_is_decided_at_once() -> None:
    assert ROUTES["iot"].find("GET", "/destinations" + "/x" * 20_000, []) is not None


def test_signing_names_lead_to_models_that_there_are() -> None:
    named = {service for services in SIGNED.values() for service in services}
    assert named == {*SERVICES, *QUERY_SERVICES}
    assert set(SERVICES) >= set(DEVICE_SERVICES)


@pytest.mark.parametrize("service", SERVICES)
def test_the_name_that_botocore_signs_with_leads_to_the_model(service: str) -> None:
    signing_name = load(service).metadata.signing_name
    assert signing_name is not None
    assert service in SIGNED[signing_name]
