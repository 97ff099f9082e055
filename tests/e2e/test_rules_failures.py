"""Targets that hang, reset or fail, and messages that are not what a rule expects, against a real process: each ends in
the documented result or the error action."""

import base64
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.e2e.conftest import CreateRule
from tests.e2e.sdk import SdkDevice

from fogbank.cli.demo.app import App
from fogbank.cli.demo.inbox import eventually

RESET = b"\1\0\0\0\0\0\0\0"
"""Linger for no second: closing resets."""


class Target(BaseHTTPRequestHandler):
    """An HTTP target that confirms everything and answers nothing well."""

    tokens: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if b"confirmationToken" in body:
            self.tokens.append(json.loads(body)["confirmationToken"])
            self.send_response(200)
        elif self.path == "/hangs":
            time.sleep(4)
        elif self.path == "/resets":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.connection.close()
            return
        else:
            self.send_response(500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


@pytest.fixture
def target() -> Iterator[tuple[str, list[str]]]:
    tokens: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("One", (Target,), {"tokens": tokens}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tokens
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("path", "said"),
    [("fails", "StatusCode: 500"), ("resets", "Connection reset by peer"), ("hangs", "did not answer within 3 s")],
)
def test_a_target_that_does_not_do_its_part(
    app: App, name: str, watcher: SdkDevice, target: tuple[str, list[str]], path: str, said: str
) -> None:
    url, tokens = target
    rule = f"{name}_{path}".replace("-", "_")
    payload = {
        "sql": f"SELECT * FROM '{name}/in'",
        "actions": [{"http": {"url": f"{url}/{path}"}}],
        "errorAction": app.republish(f"{name}/errors"),
    }
    watcher.subscribe(f"{name}/errors")
    app.iot.create_topic_rule(ruleName=rule, topicRulePayload=payload)
    try:
        eventually("the request for confirmation", lambda: tokens, bool)
        app.iot.confirm_topic_rule_destination(confirmationToken=tokens[0])
        watcher.publish(f"{name}/in", {"a": 1})
        document = watcher.take(f"{name}/errors")
    finally:
        app.iot.delete_topic_rule(ruleName=rule)
    assert (document["ruleName"], document["topic"]) == (rule, f"{name}/in")
    assert base64.b64decode(document["base64OriginalPayload"]) == b'{"a": 1}'
    [failure] = document["failures"]
    assert (failure["failedAction"], failure["failedResource"]) == ("HttpAction", f"{url}/{path}")
    assert said in failure["errorMessage"]


@pytest.mark.parametrize(
    ("payload", "result"),
    [
        (b"no JSON", {}),
        (b'{"v": NaN}', {}),
        (b"[" * 100_000, {}),
        (b'{"v": 1, "v": 2}', {"v": 2, "more": 3}),
        (b'{"v": 12345678901234567890}', {"v": 12345678901234567890, "more": 12345678901234567891}),
    ],
)
def test_messages_of_all_kinds(
    app: App, create_rule: CreateRule, name: str, watcher: SdkDevice, payload: bytes, result: dict[str, int]
) -> None:
    watcher.subscribe(f"{name}/out")
    create_rule(f"SELECT v, v + 1 AS more FROM '{name}/in'", app.republish(f"{name}/out"))
    app.data.publish(topic=f"{name}/in", qos=1, payload=payload)
    assert watcher.take(f"{name}/out") == result


def test_a_template_that_yields_no_topic(app: App, name: str, watcher: SdkDevice) -> None:
    payload = {
        "sql": f"SELECT * FROM '{name}/in'",
        "actions": [app.republish("${to}")],
        "errorAction": app.republish(f"{name}/errors"),
    }
    rule = name.replace("-", "_")
    watcher.subscribe(f"{name}/errors")
    app.iot.create_topic_rule(ruleName=rule, topicRulePayload=payload)
    try:
        watcher.publish(f"{name}/in", {})
        [failure] = watcher.take(f"{name}/errors")["failures"]
    finally:
        app.iot.delete_topic_rule(ruleName=rule)
    assert failure["failedAction"] == "RepublishAction"
    assert "the topic name is empty" in failure["errorMessage"]
