"""JSON, policies, SQL and zips made to break what reads them, by every way that they come in."""

import base64
import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from tests.hostile.server import Server
from tests.hostile.siege import siege

DEEP = b"[" * 100_000
DEEP_OBJECT = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
ROLE = "arn:aws:iam::123456789012:role/r"

DOCUMENTS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{]",
    "half of it": b'{"state": {"desired": {',
    "not UTF-8": b'{"state": "\xff\xfe"}',
    "a lone surrogate": rb'{"state": {"desired": {"a": "\ud800"}}}',
    "a surrogate in UTF-8": b'{"state": {"desired": {"a": "\xed\xa0\x80"}}}',
    "UTF-16": '{"state": {}}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"state": {}}',
    "NUL": b"\0" * 100,
    "a raw control character": b'{"state": {"desired": {"a": "\x01"}}}',
    "null": b"null",
    "a number": b"1",
    "a string": b'"state"',
    "an array": b"[1, 2]",
    "true": b"true",
    "deep arrays": DEEP,
    "deep arrays, closed": DEEP[:60_000] + b"]" * 60_000,
    "deep objects": DEEP_OBJECT,
    "deep within a state": b'{"state": {"desired": ' + DEEP_OBJECT[:100_000],
    "a huge exponent": b'{"state": {"desired": {"a": 1e999999}}}',
    "a tiny exponent": b'{"state": {"desired": {"a": 1e-999999999999}}}',
    "an exponent of many digits": b'{"state": {"desired": {"a": 1e' + b"9" * 5000 + b"}}}",
    "an int of 10^5 digits": b'{"state": {"desired": {"a": ' + b"9" * 100_000 + b"}}}",
    "a fraction of 10^5 digits": b'{"state": {"desired": {"a": 0.' + b"9" * 100_000 + b"}}}",
    "NaN": b'{"state": {"desired": {"a": NaN}}}',
    "Infinity": b'{"state": {"desired": {"a": -Infinity}}}',
    "duplicate keys": b'{"state": {"desired": {"a": 1}}, "state": {"desired": {"a": 2}}}',
    "prototypes": b'{"__proto__": {"a": 1}, "state": {"desired": {"__class__": {"__init__": 1}}}}',
    "many keys": b'{"state": {"desired": {' + b",".join(b'"%d":1' % n for n in range(12_000)) + b"}}}",
    "a token that is no string": b'{"state": {"desired": {}}, "clientToken": {"a": []}}',
    "a version that is no number": b'{"state": {"desired": {}}, "version": "1"}',
    "a version beyond 64 bits": b'{"state": {"desired": {}}, "version": 99999999999999999999999}',
    "an int beyond 64 bits": b'{"state": {"desired": {"a": 99999999999999999999999}}}',
}


@pytest.fixture(scope="session")
def lamp(server: Server) -> str:
    """A thing with a rule that looks at all of its messages, and a way to hear of their republishing."""
    assert server.ask("iot", "POST", "/things/lamp", {})[0] == 200
    body = {
        "sql": "SELECT *, a.b.c AS deep, a + 1 AS sum, a * 1e300 AS product, cast(a AS string) AS text, "
        "(SELECT VALUE b FROM a) AS inner, encode(*, 'base64') AS raw FROM 'hostile/rule' WHERE a <> 1",
        "actions": [{"republish": {"topic": "hostile/${a}/${topic(2)}", "roleArn": ROLE}}],
        "awsIotSqlVersion": "2016-03-23",
    }
    status, _, answer = server.ask("iot", "POST", "/rules/hostile", body)
    assert status == 200, answer
    return "lamp"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents(server: Server, lamp: str, name: str) -> None:
    """Into a shadow over HTTP and over MQTT, into a rule, as a policy, as the body of any operation."""
    document = DOCUMENTS[name]
    with siege(server, any_lines=True), server.client("author") as client:
        before = len(server.lines())
        topic = f"$aws/things/{lamp}/shadow/update"
        client.subscribe(f"{topic}/accepted", f"{topic}/rejected", "hostile/done")
        for service, method, path in (
            ("iotdata", "POST", f"/things/{lamp}/shadow"),
            ("iot", "POST", "/things/other"),
            ("iot", "POST", "/rules/other"),
            ("iot", "PUT", "/target-policies/other"),
            ("lambda", "POST", "/2015-03-31/functions"),
        ):
            status, headers, body = server.ask(service, method, path, document)
            assert status < 500, (path, status, body)
            assert status == 200 or headers["x-amzn-errortype"], path
        if len(document) < 128 * 1024:
            client.publish("hostile/rule", document, qos=1)
            client.publish(topic, document, qos=1)
            assert client.message().topic.startswith(topic)
            payload = json.dumps({"a": 0}).encode()
            client.publish("hostile/rule", payload)
        status, _, body = server.ask("iot", "POST", "/policies/other", {"policyDocument": document.decode("latin-1")})
        assert status == 400, body
        assert not [line for line in server.lines()[before:] if "ERROR" in line]


POLICIES: dict[str, tuple[Any, int]] = {
    "stars": ({"Effect": "Allow", "Action": "iot:*", "Resource": "*a" * 900 + "b"}, 200),
    "question marks": (
        {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*" + "?" * 1000 + "*b"},
        200,
    ),
    "many actions": ({"Effect": "Allow", "Action": ["iot:*"] * 200, "Resource": "*"}, 200),
    "variables without end": (
        {"Effect": "Allow", "Action": "iot:*", "Resource": "arn:aws:iot:${" + "iot:" * 300 + "}"},
        200,
    ),
    "variables that are not closed": (
        {"Effect": "Allow", "Action": "iot:*", "Resource": "arn:aws:iot:" + "${" * 300},
        400,
    ),
    "types": ({"Effect": ["Allow"], "Action": {"a": 1}, "Resource": 7}, 400),
    "conditions": (
        {
            "Effect": "Allow",
            "Action": "iot:*",
            "Resource": "*",
            "Condition": {"StringLike": {"iot:ClientId": "*a" * 700}},
        },
        200,
    ),
    "conditions of nonsense": (
        {
            "Effect": "Allow",
            "Action": "iot:*",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "999.1.1.1/99"}},
        },
        400,
    ),
    "too long": ({"Effect": "Allow", "Action": "iot:*", "Resource": "*" * 9000}, 400),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies(server: Server, name: str) -> None:
    statement, wanted = POLICIES[name]
    path = f"/policies/{name.replace(' ', '-')}"
    with siege(server, any_lines=True):
        document = {"Version": "2012-10-17", "Statement": [statement]}
        status, _, body = server.ask("iot", "POST", path, {"policyDocument": json.dumps(document)})
        assert status in (wanted, 400), body


STATEMENTS = {
    "parentheses": f"SELECT {'(' * 20_000}1{')' * 20_000} FROM 'a'",
    "a few parentheses": f"SELECT {'(' * 90}1{')' * 90} AS x FROM 'a'",
    "minuses": f"SELECT {'- ' * 20_000}1 FROM 'a'",
    "nots": f"SELECT * FROM 'a' WHERE {'NOT ' * 10_000} TRUE",
    "sums": f"SELECT {'1+' * 20_000}1 AS x FROM 'a'",
    "selects": f"SELECT {'(SELECT * FROM ' * 3000}a{')' * 3000} FROM 'a'",
    "cases": f"SELECT {'CASE a WHEN 1 THEN ' * 3000}1{' END' * 3000} FROM 'a'",
    "arrays": f"SELECT {'[' * 20_000}{']' * 20_000} FROM 'a'",
    "members": f"SELECT a{'.b' * 20_000} FROM 'a'",
    "calls": f"SELECT {'lower(' * 10_000}a{')' * 10_000} FROM 'a'",
    "many items": f"SELECT {','.join(f'a AS b{n}' for n in range(5000))} FROM 'a'",
    "too long": f"SELECT * FROM '{'a' * 70_000}'",
    "quotes": "SELECT '" + "''" * 20_000 + " FROM 'a'",
    "a number": f"SELECT {'9' * 60_000} AS x FROM 'a'",
    "an exponent": "SELECT 1e99999999999999999999 AS x FROM 'a'",
    "a regular expression": "SELECT regexp_matches(a, '" + "(a*)*" * 500 + "b') AS x FROM 'a'",
    "a repetition": "SELECT regexp_matches(a, '((a{1,1000}){1,1000}){1,1000}') AS x FROM 'a'",
    "a backreference": r"SELECT regexp_replace(a, '(a)\\1', 'b') AS x FROM 'a'",
    "NUL": "SELECT '\0' AS x FROM 'a'",
    "surrogates": "SELECT '\ud800' AS x FROM 'a'",
    "nothing": "",
    "not SQL": "DROP TABLE rules; --",
    "a topic of nonsense": "SELECT * FROM '#/+/a#b'",
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_sql(server: Server, name: str) -> None:
    rule = f"sql_{name.replace(' ', '_')}"
    with siege(server, any_lines=True, noticed=4):  # a thread compiles, and shares the interpreter with all others
        body = {"sql": STATEMENTS[name], "actions": [], "awsIotSqlVersion": "2016-03-23"}
        status, _, answer = server.ask("iot", "POST", f"/rules/{rule}", body)
        assert status in (200, 400), answer
        if status == 200:
            with server.client("author") as client:
                client.publish("a", b'{"a": "' + b"a" * 100_000 + b'"}', qos=1)
            assert server.ask("iot", "DELETE", f"/rules/{rule}")[0] == 200


TEMPLATES = [
    "${",
    "${}",
    "${a",
    "${'}",
    "${" * 5000,
    "${a}" * 5000,
    "${" + "(" * 5000 + ")" * 5000 + "}",
    "$${a}",
    "${{}}",
    "\0",
    "+",
    "a/#",
]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template[:8].encode().hex())
def test_templates(server: Server, template: str) -> None:
    with siege(server, any_lines=True):
        action = {"republish": {"topic": f"hostile/{template}", "roleArn": ROLE}}
        body = {"sql": "SELECT * FROM 'a'", "actions": [action], "errorAction": action}
        status, _, answer = server.ask("iot", "POST", "/rules/template", body)
        assert status in (200, 400), answer
        if status == 200:
            with server.client("author") as client:
                client.publish("a", b'{"a": "+/#\\u0000"}', qos=1)
            assert server.ask("iot", "DELETE", "/rules/template")[0] == 200


PAYLOADS: dict[str, bytes] = {
    "regular expression": json.dumps({"s": "a" * 60_000, "p": "(a|aa)*" * 20 + "b"}).encode(),
    "replacing": json.dumps({"s": "a" * 60_000, "p": "a", "r": "$0" * 5000}).encode(),
    "strings that grow": json.dumps({"s": "a" * 100_000, "p": "", "r": "b" * 10_000}).encode(),
    "numbers that grow": b'{"s": 9e999, "p": 1e-999, "r": 99999999999999999999999999999999999999}',
}


ITEMS = [
    *("regexp_replace(s, p, r)", "regexp_matches(s, p)", "regexp_substr(s, p)", "replace(s, p, r)", "power(s, r)"),
    *("s * r * s", "s / p", "mod(s, p)", "indexof(s, p)", "concat(s, s, s, s, s, s, s, s)", "cast(s AS decimal)"),
    *("startswith(s, p)", "sqrt(s)", "exp(s)", "trunc(s, r)", "round(s)", "encode(s, 'base64')", "substring(s, r, p)"),
]


@pytest.mark.parametrize("name", PAYLOADS)
def test_what_a_device_sends_to_a_rule_that_lets_it_choose(server: Server, name: str) -> None:
    """Pattern and replacement come from the message; the rule's author has been careless."""
    items = ", ".join(f"{item} AS x{number}" for number, item in enumerate(ITEMS))
    body = {
        "sql": f"SELECT {items} FROM 'careless'",
        "actions": [{"republish": {"topic": "careless/out", "roleArn": ROLE}}],
        "awsIotSqlVersion": "2016-03-23",
    }
    with siege(server, any_lines=True):
        before = len(server.lines())
        status, _, answer = server.ask("iot", "POST", "/rules/careless", body)
        assert status == 200, answer
        with server.client("author") as client:
            client.publish("careless", PAYLOADS[name], qos=1)
        assert server.ask("iot", "DELETE", "/rules/careless")[0] == 200
        assert not [line for line in server.lines()[before:] if "ERROR" in line]


# --- wrong types ----------------------------------------------------------------------------------------------------

VALUES: list[Any] = [
    None,
    True,
    1,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\0",
    "\ud7ff",
    "a" * 5000,
    [],
    [None],
    {},
    {"a": {"b": []}},
]


def test_every_member_of_every_kind(server: Server) -> None:
    """What each operation's first members are is all the same: no value of any type is a fault of ours."""
    operations = [
        ("iot", "POST", "/things/typed", ["thingTypeName", "attributePayload", "billingGroupName"]),
        ("iot", "PATCH", "/things/lamp", ["attributePayload", "expectedVersion", "removeThingType"]),
        ("iot", "POST", "/thing-types/typed", ["thingTypeProperties", "tags"]),
        ("iot", "POST", "/certificates", ["certificateSigningRequest"]),
        ("iot", "POST", "/policies/typed", ["policyDocument", "tags"]),
        ("iot", "PUT", "/target-policies/typed", ["target"]),
        ("iot", "POST", "/rules/typed", ["sql", "actions", "ruleDisabled", "errorAction", "awsIotSqlVersion"]),
        (
            "lambda",
            "POST",
            "/2015-03-31/functions",
            ["FunctionName", "Code", "Timeout", "Environment", "MemorySize", "Layers"],
        ),
        ("lambda", "POST", "/2015-03-31/functions/x/policy", ["StatementId", "Action", "Principal"]),
    ]
    with siege(server, any_lines=True):
        before = len(server.lines())
        for service, method, path, members in operations:
            for member in members:
                for value in VALUES:
                    status, _, body = server.ask(service, method, path, {member: value})
                    assert status < 500 or status == 501, (path, member, value, body)
        assert not [line for line in server.lines()[before:] if "ERROR" in line]


# --- zips -----------------------------------------------------------------------------------------------------------


def zipped(entries: dict[str, bytes], *, mode: int = 0o644, compress: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compress) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = compress
            archive.writestr(entry, content)
    return file.getvalue()


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"bomb{number}", bytes(80 << 20))
    return file.getvalue()


def _lying() -> bytes:
    """An entry of 80 MB that says it has ten bytes."""
    data = bytearray(zipped({"liar.py": bytes(80 << 20)}))
    central = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, central + 24, 10)
    struct.pack_into("<I", data, 22, 10)
    return bytes(data)


ZIPS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no zip": lambda: b"PK" + bytes(1000),
    "an empty zip": lambda: zipped({}),
    "cut off": lambda: zipped({"h.py": b"x" * 10_000})[:-30],
    "traversal": lambda: zipped({"../../escaped.py": b"x"}),
    "traversal within": lambda: zipped({"a/../../../escaped.py": b"x"}),
    "an absolute path": lambda: zipped({"/tmp/escaped.py": b"x"}),
    "backslashes": lambda: zipped({"..\\..\\escaped.py": b"x"}),
    "a link out": lambda: zipped({"link": b"/etc"}, mode=stat.S_IFLNK | 0o777),
    "a device": lambda: zipped({"device": b""}, mode=stat.S_IFCHR | 0o666),
    "a name without end": lambda: zipped({"a" * 5000: b""}),
    "deep directories": lambda: zipped({"a/" * 3000 + "h.py": b""}),
    "names of control characters": lambda: zipped({"\x01\x1b[2J": b"", "b": b""}),
    "a bomb": _bomb,
    "a liar": _lying,
    "many entries": lambda: zipped({f"{n}": b"" for n in range(50_001)}, compress=zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("name", ZIPS)
def test_zips(server: Server, name: str) -> None:
    code = {"ZipFile": base64.b64encode(ZIPS[name]()).decode()}
    body = {"FunctionName": "zipped", "Runtime": "python3.11", "Role": ROLE, "Handler": "h.h", "Code": code}
    with siege(server, any_lines=True, memory=96 << 20):
        status, _, answer = server.ask("lambda", "POST", "/2015-03-31/functions", body)
        if status == 201:
            assert name == "names of control characters"
            assert server.ask("lambda", "DELETE", "/2015-03-31/functions/zipped")[0] == 204
        else:
            assert status in (400, 413), answer
    assert list(server.place.rglob("escaped.py")) == []
    assert list((server.data / "functions").rglob("unpacking-*")) == []
