"""The life of a topic rule destination, as boto3 and the owner of a URL see it."""

import json
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self

import pytest


class Receiver:
    """An HTTP server on a thread of its own, which keeps the bodies that are posted to it."""

    def __init__(self) -> None:
        self.bodies: SimpleQueue[bytes] = SimpleQueue()
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.put(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def tell(iot: Any, api: str) -> None:
    """Twice: the token comes back without a signature, and by ConfirmTopicRuleDestination."""
    with Receiver() as receiver:
        confirm_and_delete(iot, receiver, signed=False)
        confirm_and_delete(iot, receiver, signed=True)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        visit(f"{api}/confirmdestination/never-sent")


def confirm_and_delete(iot: Any, receiver: Receiver, *, signed: bool) -> None:
    url = {"confirmationUrl": receiver.url}
    made = iot.create_topic_rule_destination(destinationConfiguration={"httpUrlConfiguration": url})
    arn = made["topicRuleDestination"]["arn"]
    assert made["topicRuleDestination"]["status"] == "IN_PROGRESS"
    assert made["topicRuleDestination"]["httpUrlProperties"] == url
    with pytest.raises(iot.exceptions.InvalidRequestException, match="never confirmed"):
        iot.update_topic_rule_destination(arn=arn, status="ENABLED")
    asked = json.loads(receiver.bodies.get(timeout=10))
    assert (asked["arn"], asked["messageType"]) == (arn, "DestinationConfirmation")
    if signed:
        iot.confirm_topic_rule_destination(confirmationToken=asked["confirmationToken"])
    else:
        visit(asked["enableUrl"])
    described = iot.get_topic_rule_destination(arn=arn)["topicRuleDestination"]
    assert described["status"] == "ENABLED"
    assert described["lastUpdatedAt"] >= described["createdAt"]
    [summary] = iot.list_topic_rule_destinations()["destinationSummaries"]
    assert (summary["arn"], summary["httpUrlSummary"]) == (arn, url)
    iot.update_topic_rule_destination(arn=arn, status="DISABLED")
    assert iot.get_topic_rule_destination(arn=arn)["topicRuleDestination"]["status"] == "DISABLED"
    iot.delete_topic_rule_destination(arn=arn)
    with pytest.raises(iot.exceptions.UnauthorizedException):
        iot.get_topic_rule_destination(arn=arn)


def visit(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert json.load(answer) == {}
