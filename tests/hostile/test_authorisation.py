"""Ways in for who has some right, or none, and wants more."""

import http.client
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.hostile.certificates import Credentials, done, issue
from tests.hostile.mqtt import Client, Closed
from tests.hostile.server import KEY_ID, SECRET, Server, eventually
from tests.hostile.siege import siege

from fogbank.mqtt.packets import Connect, Publish, Will

ARN = "arn:aws:iot:us-east-1:123456789012"


def allow(**resources: str) -> dict[str, Any]:
    """A policy of one statement for each action; `${...}` may stand in the resources."""
    statements = [
        {"Effect": "Allow", "Action": f"iot:{action}", "Resource": f"{ARN}:{resource}"}
        for action, resource in resources.items()
    ]
    return {"Version": "2012-10-17", "Statement": statements}


NARROW = allow(
    Connect="client/${iot:Connection.Thing.ThingName}",
    Publish="topic/own/${iot:Connection.Thing.ThingName}/*",
    Receive="topic/own/${iot:Connection.Thing.ThingName}/*",
    Subscribe="topicfilter/*",
    UpdateThingShadow="thing/mine",
    GetThingShadow="thing/mine",
)


@pytest.fixture(scope="session")
def narrow(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    """A certificate attached to the thing `mine`, with rights to what is that thing's."""
    for thing in ("mine", "other"):
        done(server.ask("iot", "POST", f"/things/{thing}", {}))
        done(server.ask("iotdata", "POST", f"/things/{thing}/shadow", {"state": {"reported": {"of": thing}}}))
    credentials = issue(server, tmp_path_factory.mktemp("narrow"), "narrow", NARROW)
    done(server.ask("iot", "PUT", "/things/mine/principals", headers={"x-amzn-principal": credentials.arn}))
    return credentials


def over_https(
    server: Server, credentials: Credentials | None, method: str, path: str, body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """A request by certificate alone."""
    link = server.tls("https", None if credentials is None else credentials.files)
    connection = http.client.HTTPConnection("ignored")
    connection.sock = link
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def device(server: Server, credentials: Credentials, client_id: str, **connect: Any) -> Client:
    return Client(server.tls("mqtts", credentials.files)).connect(client_id, **connect)


CONTROL_PLANE = [
    ("GET", "/things"),
    ("POST", "/things/mallory"),
    ("POST", "/keys-and-certificate?setAsActive=true"),
    ("PUT", "/target-policies/permitted"),
    ("DELETE", "/things/other"),
    ("GET", "/endpoint?endpointType=iot:Data-ATS"),
    ("POST", "/rules/mallory"),
    ("GET", "/2015-03-31/functions"),
    ("POST", "/2015-03-31/functions/x/invocations"),
    ("GET", "/_fogbank/trace"),
    ("GET", "/_fogbank/code"),
]


def test_a_device_has_no_control_plane(server: Server, permitted: Credentials) -> None:
    """Not even one with all rights of a policy."""
    with siege(server, any_lines=True):
        for method, path in CONTROL_PLANE:
            status, headers, body = over_https(server, permitted, method, path, b"{}")
            assert status in (403, 404), (method, path, status, body)
            assert headers["x-amzn-errortype"]


def test_a_device_gets_at_its_own_shadow_alone(server: Server, narrow: Credentials) -> None:
    with siege(server, any_lines=True):
        assert over_https(server, narrow, "GET", "/things/mine/shadow")[0] == 200
        for path in (
            "/things/other/shadow",
            "/things/mine/../other/shadow",
            "/things/mine%2f..%2fother/shadow",
            "/things/%6fther/shadow",
            "/things/mine/shadow?name=x&thingName=other",
            "/api/things/shadow/ListNamedShadowsForThing/other",
            "/things/*/shadow",
            "/things/mine%00/shadow",
        ):
            status, _, body = over_https(server, narrow, "GET", path)
            assert status in (400, 403, 404), (path, status, body)
            assert b"reported" not in body
        for method, path in (
            ("POST", "/things/other/shadow"),
            ("DELETE", "/things/other/shadow"),
            ("DELETE", "/things/mine/shadow"),
        ):
            assert over_https(server, narrow, method, path, b'{"state": {}}')[0] == 403
    assert json.loads(server.ask("iotdata", "GET", "/things/other/shadow")[2])["state"] == {"reported": {"of": "other"}}


@pytest.mark.parametrize(
    "topic",
    [
        "$aws/things/other/shadow/get",
        "$aws/things/other/shadow/update",
        "$aws/things/mine/shadow/update",
        "$aws/events/presence/connected/x",
        "own/other/x",
        "own/mine",
        "own/mine+/x",
        "own/MINE/x",
        "/own/mine/x",
    ],
)
def test_a_device_publishes_nowhere_else(server: Server, narrow: Credentials, topic: str) -> None:
    with siege(server, r"client 'mine' .*(AUTH|CLIENT)_ERROR"), device(server, narrow, "mine") as client:
        client.send(Publish(topic, b'{"state": {"desired": {"a": 1}}}', 1, packet_id=1))
        assert client.is_closed()


def test_wide_subscriptions_with_narrow_rights_to_receive(server: Server, narrow: Credentials) -> None:
    """Over several ways of coming by a message: published, by a will, waiting while away, from the platform itself."""
    with siege(server, any_lines=True):
        with device(server, narrow, "mine", clean=False) as client, server.client("loud") as loud:
            assert client.subscribe("#", "$aws/#", "+/+/+", "own/mine/a", qos=1) == (1, 1, 1, 1)
            for topic in ("own/other/a", "secret", "a/b/c", "$aws/things/mine/shadow/get"):
                loud.publish(topic, b"secret", qos=1)
            server.ask("iotdata", "POST", "/things/mine/shadow", {"state": {"desired": {"a": 1}}})
            with server.client("dying", will=Will("own/other/b", b"secret", 1, False)):
                pass
            loud.publish("own/mine/a", b"mine", qos=1)
            assert client.message().topic == "own/mine/a"
            client.send(b"\xe0\x00")
        with server.client("loud") as loud:
            loud.publish("own/other/a", b"secret", qos=1)
            loud.publish("own/mine/b", b"mine", qos=1)
        with device(server, narrow, "mine", clean=False) as client:
            assert client.message().topic == "own/mine/b"
            with server.client("loud") as loud:
                loud.publish("own/other/a", b"secret", qos=1)
                loud.publish("own/mine/c", b"mine", qos=1)
            assert client.message().topic == "own/mine/c"
        device(server, narrow, "mine", clean=True).close()


CLIENT_IDS = {
    "other": "another's",
    "": "none",
    "mine/x": "a level more",
    "*": "a wildcard of policies",
    "+": "a wildcard of MQTT",
    "#": "all of MQTT",
    "${iot:ClientId}": "a variable",
    "mine\t": "a control character",
    "mine\u0001": "a control character that MQTT discourages",
    "MINE": "another case",
    "m\u0131ne": "a dotless i",
    "mine\U0001f980": "beyond the basic plane",
    "x" * 129: "too long",
    "\U0001f980" * 40: "too many bytes",
}


@pytest.mark.parametrize("client_id", CLIENT_IDS, ids=CLIENT_IDS.values())
def test_client_ids_that_are_not_the_things_own(server: Server, narrow: Credentials, client_id: str) -> None:
    with siege(server, r"disconnected \((AUTH|CLIENT)_ERROR\)"), pytest.raises(Closed):
        device(server, narrow, client_id)


@pytest.mark.parametrize("client_id", ["*", "+", "#", "a/b", "?", "${iot:ClientId}", "x*"])
def test_a_client_id_in_a_policy_stands_for_itself(server: Server, tmp_path: Path, client_id: str) -> None:
    """Where the policy lets a client choose its own, it must not become a wildcard of the policy."""
    name = f"chosen-{client_id.encode().hex()}"
    policy = allow(
        Connect="client/*",
        Publish="topic/of/${iot:ClientId}",
        Receive="topic/*",
        Subscribe="topicfilter/of/${iot:ClientId}",
    )
    credentials = issue(server, tmp_path, name, policy)
    with siege(server, r"may not subscribe", r"AUTH_ERROR"), device(server, credentials, client_id) as client:
        assert client.subscribe("of/victim") == (0x80,)
        client.send(Publish("of/victim", b""))
        assert client.is_closed()


@pytest.mark.parametrize(
    "topic",
    ["own/other/gone", "$aws/things/other/shadow/update", "#", "own/mine/+", "\x00", "own/mine/" + "x" * 60_000],
)
def test_wills_that_may_not_be(server: Server, narrow: Credentials, topic: str) -> None:
    with siege(server, r"client ('mine'|None) .*disconnected \((AUTH|CLIENT)_ERROR\)"), pytest.raises(Closed):
        device(server, narrow, "mine", will=Will(topic, b"", 1, False)).close()


@pytest.mark.parametrize("status", ["INACTIVE", "REVOKED"])
def test_a_connection_from_before_a_revocation(server: Server, tmp_path: Path, status: str) -> None:
    """Over HTTPS kept alive, and over MQTT: both end with the certificate, whatever they were allowed before."""
    credentials = issue(server, tmp_path, f"revoked-{status}", allow(Connect="*", Publish="*"))
    certificate = credentials.arn.rpartition("/")[2]
    connection = http.client.HTTPConnection("ignored")
    connection.sock = server.tls("https", credentials.files)
    late = server.tls("mqtts", credentials.files)
    with siege(server, any_lines=True), device(server, credentials, "revoked") as client:
        connection.request("POST", "/topics/a?qos=1", b"x")
        answer = connection.getresponse()
        assert (answer.status, answer.read() is None) == (200, False)
        done(server.ask("iot", "PUT", f"/certificates/{certificate}", query=f"newStatus={status}"))
        assert client.is_closed()
        connection.request("POST", "/topics/a?qos=1", b"x")
        answer = connection.getresponse()
        assert answer.status == 403, answer.read()
        answer.read()
        with Client(late) as second, pytest.raises(Closed):
            second.connect("revoked")
    connection.close()


def test_https_without_a_good_certificate(server: Server, tmp_path: Path) -> None:
    from tests.hostile.certificates import make

    with siege(server, any_lines=True):
        for credentials in (None, make(tmp_path, "unknown")):
            status, headers, _ = over_https(server, credentials, "POST", "/topics/a?qos=1", b"x")
            assert status == 403, headers
            assert over_https(server, credentials, "GET", "/_fogbank/health")[0] == 200


def test_a_signature_beside_a_certificate_counts_as_itself(server: Server, narrow: Credentials) -> None:
    """A device does not become the account by a broken signature, nor the other way round."""
    with siege(server, any_lines=True):
        link = server.tls("https", narrow.files)
        connection = http.client.HTTPConnection("ignored")
        connection.sock = link
        forged = (
            f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20200101/us-east-1/iot/aws4_request, SignedHeaders=host, Signature=0"
        )
        connection.request(
            "GET", "/things/mine/shadow", headers={"authorization": forged, "x-amz-date": "20200101T000000Z"}
        )
        assert connection.getresponse().status == 403
        connection.close()


def test_spoofed_headers_change_nothing(server: Server, narrow: Credentials) -> None:
    headers = {
        "x-forwarded-for": "6.6.6.6",
        "x-amzn-principal": "x",
        "x-amz-client-id": "other",
        "x-fogbank-identity": "x",
    }
    with siege(server, any_lines=True):
        connection = http.client.HTTPConnection("ignored")
        connection.sock = server.tls("https", narrow.files)
        connection.request("GET", "/things/other/shadow", headers=headers)
        assert connection.getresponse().status == 403
        connection.close()


def test_what_lies_in_the_data_directory_is_its_owners_alone(server: Server, narrow: Credentials) -> None:
    """Keys, databases, logs: not by their own modes, at the least by that of the directory above."""
    exposed = [
        path
        for path in [server.data, *server.data.rglob("*")]
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert server.data not in exposed
    private = [path for path in exposed if path.suffix in {".key", ".db", ".sqlite", ".log"} or "key" in path.name]
    assert private == [], "readable by others, should the directory above be opened"
    assert stat.S_IMODE((server.place / "ready.json").stat().st_mode) == 0o600


def test_no_secret_is_written_where_it_does_not_belong(server: Server, narrow: Credentials, tmp_path: Path) -> None:
    """Neither the secret key nor private keys of devices are in logs; of the latter the server keeps none at all."""
    marker = narrow.key.read_text().splitlines()[2].encode()
    server.ask("iot", "GET", "/things", tamper=lambda headers: headers | {"x-amz-date": "altered"})
    for path in server.data.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert marker not in path.read_bytes(), path
            if path.suffix == ".log":
                assert SECRET.encode() not in path.read_bytes(), path
    written = server.stderr.read_bytes() + (server.place / "stdout").read_bytes()
    assert marker not in written
    assert SECRET.encode() not in written
    assert b"PRIVATE KEY" not in written


def test_the_secret_is_not_on_the_command_line_of_functions_nor_in_the_trace(server: Server) -> None:
    import threading

    lines: list[bytes] = []
    listening = threading.Event()

    def listen() -> None:
        import time

        from fogbank.awswire.http import Request
        from fogbank.awswire.sigv4 import sign

        host, port = server.address("api")
        signed = sign(
            Request("GET", "/_fogbank/trace", "", {"host": f"{host}:{port}"}),
            KEY_ID,
            SECRET,
            region="us-east-1",
            service="iot",
            now=time.time(),
        )
        connection = http.client.HTTPConnection(host, port, timeout=8)
        connection.request("GET", "/_fogbank/trace", headers=signed)
        answer = connection.getresponse()
        listening.set()
        while line := answer.readline():
            lines.append(line)
            if b"the-end" in line:
                break
        connection.close()

    with siege(server, any_lines=True):
        thread = threading.Thread(target=listen)
        thread.start()
        assert listening.wait(8)
        with Client(server.connect("plain_mqtt")) as client:
            client.send(Connect("talker", True, 60, None, "user", b"password-of-mqtt"))
            client.packet()
            client.publish("a/b", b"payload-of-a-message", qos=1)
            client.subscribe("the-end")
        thread.join(8)
        eventually("the trace ends", lambda: not thread.is_alive())
    told = b"".join(lines)
    assert b"talker" in told
    for secret in (SECRET.encode(), b"password-of-mqtt", b"payload-of-a-message"):
        assert secret not in told


def test_the_process_tells_no_secret(server: Server) -> None:
    """The access key was given on the command line, which all users of a machine can read: that is the caller's doing;
    nothing else may be there."""
    assert b"PRIVATE" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
    assert not [one for one in os.listdir(f"/proc/{server.pid}/fd") if "PRIVATE" in one]
