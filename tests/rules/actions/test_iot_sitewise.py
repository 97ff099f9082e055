"""The action `iotSiteWise`, by what it sends."""

from typing import Any

import msgspec
import pytest
from tests.outbound.server import Server
from tests.rules.actions.workbench import ROLE, Workbench, reaching

from fogbank.errors import InvalidRequest

STAMP = {"timeInSeconds": "${floor(at / 1000)}", "offsetInNanos": "${(at % 1000) * 1000000}"}


def value(**variant: str) -> dict[str, Any]:
    return {"value": variant, "timestamp": {"timeInSeconds": "7"}}


def sitewise(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"iotSiteWise": {"roleArn": ROLE, "putAssetPropertyValueEntries": list(entries)}}


async def test_what_goes_over_the_wire(server: Server, credentials: None) -> None:
    """Developer Guide, "IoT SiteWise" rule action: the sample of a property alias."""
    server.answer(200, b'{"errorEntries":[]}')
    outbound = reaching(server.url)
    bench = Workbench(outbound)
    bench.rule(
        sitewise(
            {
                "propertyAlias": "/plant/${topic(2)}/t",
                "entryId": "e1",
                "propertyValues": [{"value": {"doubleValue": "${t}"}, "timestamp": STAMP, "quality": "GOOD"}],
            }
        )
    )
    assert await bench.send({"t": 21.5, "at": 1700000000123}) == []
    await outbound.close()
    [received] = server.received
    assert (received.method, received.url) == ("POST", "/properties")
    assert msgspec.json.decode(received.body) == {
        "entries": [
            {
                "entryId": "e1",
                "propertyAlias": "/plant/lamp/t",
                "propertyValues": [
                    {
                        "value": {"doubleValue": 21.5},
                        "timestamp": {"timeInSeconds": 1700000000, "offsetInNanos": 123000000},
                        "quality": "GOOD",
                    }
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    ("variant", "text", "sent"),
    [
        ("stringValue", "x", "x"),
        ("integerValue", 7, 7),
        ("doubleValue", 7, 7.0),
        ("booleanValue", True, True),
        ("booleanValue", "FALSE", False),
    ],
)
async def test_values_by_their_types(recorded: Workbench, variant: str, text: object, sent: object) -> None:
    recorded.rule(sitewise({"assetId": "a", "propertyId": "p", "propertyValues": [value(**{variant: "${v}"})]}))
    assert await recorded.send({"v": text}) == []
    [entry] = recorded.aws.calls[0][1]["entries"]
    assert entry["propertyValues"][0]["value"] == {variant: sent}
    assert (entry["assetId"], entry["propertyId"]) == ("a", "p")


@pytest.mark.parametrize(("variant", "text"), [("integerValue", 7.5), ("doubleValue", "x"), ("booleanValue", 1)])
async def test_values_that_are_none_of_the_type(recorded: Workbench, variant: str, text: object) -> None:
    recorded.rule(sitewise({"propertyAlias": "/a", "propertyValues": [value(**{variant: "${v}"})]}))
    [failed] = await recorded.send({"v": text})
    assert failed == f"{variant} cannot be {str(text)!r}"


async def test_an_entry_that_is_refused_fails_its_message(recorded: Workbench) -> None:
    recorded.aws.answers["BatchPutAssetPropertyValue"] = [
        {"errorEntries": [{"entryId": "b", "errors": [{"errorCode": "TimestampOutOfRange", "errorMessage": "old"}]}]}
    ]
    recorded.rule(
        sitewise(*({"propertyAlias": "/a", "entryId": one, "propertyValues": [value(stringValue="x")]} for one in "ab"))
    )
    [failed] = await recorded.send({})
    assert "old" in failed


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"propertyValues": [value(stringValue="x")]}, "either propertyAlias, or assetId and propertyId"),
        ({"assetId": "a", "propertyValues": [value(stringValue="x")]}, "either propertyAlias"),
        ({"propertyAlias": "/a", "propertyValues": []}, "property value is needed"),
        ({"propertyAlias": "/a", "propertyValues": [value()]}, "exactly one"),
        ({"propertyAlias": "/a", "propertyValues": [value(stringValue="x", doubleValue="1")]}, "exactly one"),
        ({"propertyAlias": "/a"}, "propertyValues"),
    ],
)
def test_parameters_that_are_refused(recorded: Workbench, entry: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRequest, match=told):
        recorded.compile(sitewise(entry))
