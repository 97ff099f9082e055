"""The data plane of a real process, by each way in: boto3, a certificate, and a custom authorizer."""

import base64
import http.client
import json
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Keys
from botocore.exceptions import ClientError
from tests.e2e.conftest import Connect, CreateRule
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.device_process import Credentials
from fogbank.cli.demo.inbox import eventually
from fogbank.ready import Ready

Ask = Callable[..., tuple[int, dict[str, Any]]]

AUTHORIZER = """
import json

def handler(event, context):
    arn = "arn:aws:iot:*:*:topic/{name}/*"
    allow = {{"Effect": "Allow", "Action": "iot:Publish", "Resource": arn}}
    return {{
        "isAuthenticated": event.get("token") == "open-sesame",
        "principalId": "somebody",
        "disconnectAfterInSeconds": 3600,
        "refreshAfterInSeconds": 300,
        "policyDocuments": [json.dumps({{"Version": "2012-10-17", "Statement": [allow]}})],
    }}
"""


@pytest.fixture
def ask(where: Ready) -> Ask:
    """`ask(method, path, ...)` on the HTTPS port, and the status and document that come back."""

    def ask(
        method: str,
        path: str,
        body: bytes = b"",
        *,
        credentials: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        context = ssl.create_default_context(cafile=where.ca_file)
        context.set_alpn_protocols(["http/1.1"])
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.key)
        connection = http.client.HTTPSConnection(where.https.host, where.https.port, context=context, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        finally:
            connection.close()

    return ask


@pytest.fixture
def device(app: App, name: str) -> Credentials:
    """A thing that may publish, retain below its name and read what is retained there, and nothing else."""
    return app.create_thing(
        name,
        app.policy(
            ("iot:Publish", f"topic/{name}/*"),
            ("iot:RetainPublish", f"topic/{name}/kept"),
            ("iot:GetRetainedMessage", f"topic/{name}/*"),
        ),
    )


def refused(call: Callable[..., Any], **params: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class TestPublishing:
    def test_by_certificate(self, device: Credentials, name: str, ask: Ask, watcher: SdkDevice) -> None:
        watcher.subscribe(f"{name}/#")
        status, answer = ask("POST", f"/topics/{name}/a?qos=1", b'{"n": 1}', credentials=device)
        assert (status, answer["message"], set(answer)) == (200, "OK", {"message", "traceId"})
        topic = f"{name}/ü b/c"
        assert ask("POST", f"/topics/{quote(topic, safe='')}", b'{"n": 2}', credentials=device)[0] == 200
        assert [watcher.take(f"{name}/a"), watcher.take(topic)] == [{"n": 1}, {"n": 2}]
        status, answer = ask("POST", "/topics/elsewhere?qos=1", b"{}", credentials=device)
        assert (status, answer["message"]) == (403, "Forbidden")

    def test_by_an_access_key(self, app: App, name: str, watcher: SdkDevice) -> None:
        watcher.subscribe(f"{name}/#")
        app.data.publish(topic=f"{name}/a", qos=1, payload=b'{"n": 1}')
        assert watcher.take(f"{name}/a") == {"n": 1}

    def test_by_a_custom_authorizer(self, app: App, name: str, ask: Ask, watcher: SdkDevice) -> None:
        watcher.subscribe(f"{name}/#")
        made = app.iot.create_authorizer(
            authorizerName=name,
            authorizerFunctionArn=app.create_function(name, AUTHORIZER.format(name=name)),
            tokenKeyName="token",
            signingDisabled=True,
            status="ACTIVE",
        )
        app.functions.add_permission(
            FunctionName=name,
            StatementId="authorizer",
            Action="lambda:InvokeFunction",
            Principal="iot.amazonaws.com",
            SourceArn=made["authorizerArn"],
        )
        claim = {"x-amz-customauthorizer-name": name, "token": "open-sesame"}
        assert ask("POST", f"/topics/{name}/a?qos=1", b'{"n": 1}', headers=claim)[0] == 200
        query = urlencode({"qos": 1} | claim)
        assert ask("POST", f"/topics/{name}/a?{query}", b'{"n": 2}')[0] == 200
        assert [watcher.take(f"{name}/a")["n"] for _ in range(2)] == [1, 2]
        assert ask("POST", "/topics/elsewhere", b"{}", headers=claim)[0] == 403
        assert ask("POST", f"/topics/{name}/a", b"{}", headers=claim | {"token": "wrong"})[0] in (401, 403)

    def test_nobody(self, ask: Ask, name: str) -> None:
        assert ask("POST", f"/topics/{name}/a", b"{}")[0] == 403


def test_retained_messages(app: App, device: Credentials, name: str, ask: Ask) -> None:
    properties = base64.b64encode(b'[{"k": "v"}, {"k": "w"}]').decode()
    headers = {"x-amz-mqtt5-user-properties": properties}
    path = f"/topics/{name}/kept?qos=1&retain=true"
    assert ask("POST", path, b"x", credentials=device, headers=headers)[0] == 200
    assert ask("POST", f"/topics/{name}/other?retain=true", b"x", credentials=device)[0] == 403
    found = app.data.get_retained_message(topic=f"{name}/kept")
    assert (found["payload"], found["qos"]) == (b"x", 1)
    assert json.loads(found["userProperties"]) == [{"k": "v"}, {"k": "w"}]
    status, answer = ask("GET", f"/retainedMessage/{quote(f'{name}/kept', safe='')}", credentials=device)
    assert (status, base64.b64decode(answer["payload"])) == (200, b"x")
    assert ask("GET", "/retainedMessage/elsewhere", credentials=device)[0] == 403
    assert ask("GET", "/retainedMessage", credentials=device)[0] == 403
    pages = app.data.get_paginator("list_retained_messages").paginate(PaginationConfig={"PageSize": 1})
    assert f"{name}/kept" in [one["topic"] for page in pages for one in page["retainedTopics"]]
    assert ask("POST", path, b"", credentials=device)[0] == 200
    assert refused(app.data.get_retained_message, topic=f"{name}/kept") == ("ResourceNotFoundException", 404)


def test_connections(app: App, name: str, connect: Connect) -> None:
    credentials = app.create_thing(name, app.policy(("iot:*", "*")))
    device = connect(credentials, clean_session=False)
    device.subscribe(f"{name}/b", f"{name}/a")
    listed = app.data.list_subscriptions(clientId=name)["subscriptions"]
    assert listed == [{"topicFilter": f"{name}/a", "qos": 1}, {"topicFilter": f"{name}/b", "qos": 1}]
    found = app.data.get_connection(clientId=name, includeSocketInformation=True)
    assert (found["connected"], found["cleanSession"], found["thingName"]) == (True, False, name)
    assert found["sourceIp"] == "127.0.0.1"
    answer = app.data.send_direct_message(clientId=name, topic="straight", payload=b'{"n": 1}', confirmation=True)
    assert answer["message"] == "OK"
    assert device.take("straight") == {"n": 1}
    app.data.delete_connection(clientId=name, cleanSession=True)
    found = app.data.get_connection(clientId=name)
    assert (found["connected"], found["disconnectReason"]) == (False, "API_INITIATED_DISCONNECT")
    assert refused(app.data.send_direct_message, clientId=name, topic="straight") == ("ResourceNotFoundException", 404)


def test_basic_ingest(
    app: App, name: str, ask: Ask, create_rule: CreateRule, device: Credentials, watcher: SdkDevice
) -> None:
    """By MQTT and by HTTP; whoever subscribes to everything gets only what the rule makes of it."""
    watcher.subscribe(f"{name}/#", f"made/{name}")
    create_rule("SELECT *, topic() AS topic", app.republish(f"made/{name}"))
    watcher.publish(f"$aws/rules/{name}/{name}/x", {"by": "mqtt"})
    assert watcher.take(f"made/{name}") == {"by": "mqtt", "topic": f"{name}/x"}
    app.data.publish(topic=f"$aws/rules/{name}/{name}/y", qos=1, payload=b'{"by": "http"}')
    assert watcher.take(f"made/{name}") == {"by": "http", "topic": f"{name}/y"}
    assert ask("POST", f"/topics/%24aws/rules/{name}/x", b"{}", credentials=device)[0] == 403
    wrong = {"topic": f"$aws/rules/{name}/x", "retain": True}
    assert refused(app.data.publish, **wrong) == ("InvalidRequestException", 400)
    assert watcher.messages.waiting() == []


def metrics(where: Ready) -> dict[str, int]:
    request = AWSRequest("GET", f"{where.api}/_fogbank/metrics")
    SigV4Auth(Keys(where.access_key_id, where.secret_access_key), "iot", where.region).add_auth(request)
    connection = http.client.HTTPConnection(where.api.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/_fogbank/metrics", headers=dict(request.headers.items()))
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {name: int(value) for name, value in re.findall(r"^(\w+(?:\{.*\})?) (\d+)$", text, re.MULTILINE)}


def test_metrics(where: Ready, app: App, name: str, ask: Ask, connect: Connect, create_rule: CreateRule) -> None:
    create_rule("SELECT *", app.republish(f"made/{name}"))
    connect(app.create_thing(name, app.policy(("iot:*", "*"))))
    before = metrics(where)
    assert before["fogbank_connections"] >= 1
    app.data.publish(topic=f"$aws/rules/{name}-absent/x", payload=b"{}")
    app.data.publish(topic=f"$aws/rules/{name}/x", payload=b"{}")
    app.data.publish(topic=f"{name}/kept", payload=b"x", retain=True)
    fired = f'fogbank_rule_executed_total{{rule="{name}"}}'
    done = f'fogbank_rule_success_total{{rule="{name}",action_type="republish"}}'
    after = eventually("the action done", lambda: metrics(where), lambda now: now.get(done) == 1)
    assert after[fired] == 1
    for count in ("rule_not_found_total", "journal_commits_total"):
        assert after[f"fogbank_{count}"] > before[f"fogbank_{count}"]
    app.data.publish(topic=f"{name}/kept", payload=b"", retain=True)
    assert ask("GET", "/_fogbank/metrics")[0] == 403
