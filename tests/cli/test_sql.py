"""`fogbank sql eval` and `fogbank sql test`: what they print, and how they end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fogbank.cli.sql import sql

HOT = "SELECT temperature FROM 'room/+' WHERE temperature > 50"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(sql, arguments)


def answer(*arguments: str) -> dict[str, object]:
    result = run("eval", *arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    parsed: dict[str, object] = json.loads(result.stdout)
    return parsed


def test_a_statement_that_fires() -> None:
    assert answer(HOT, "--topic", "room/1", "--payload", '{"temperature": 51.0}') == {
        "fires": True,
        "output": {"temperature": 51},
        "why": "temperature > 50 was true",
    }


def test_a_statement_that_does_not() -> None:
    result = run("eval", HOT, "--topic", "room/1", "--payload", '{"temperature": 49}')
    assert result.stdout == '{"fires":false,"why":"temperature > 50 was not true: temperature is 49"}\n'
    assert result.exit_code == 0


def test_a_topic_that_does_not_match() -> None:
    assert answer(HOT, "--topic", "hall/1", "--payload", '{"temperature": 51}') == {
        "fires": False,
        "why": "the topic hall/1 does not match FROM 'room/+'",
    }


def test_payload_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_bytes(b'{\n  "temperature": 51\n}\n')
    assert answer(HOT, "--topic", "room/1", "--payload", f"@{file}")["output"] == {"temperature": 51}
    assert answer("SELECT * FROM '#'", "--topic", "a", "--payload", f"@{file}")["output"] == {"temperature": 51}
    file.write_bytes(b"[1,\n 2]")
    assert answer("SELECT * FROM '#'", "--topic", "a", "--payload", f"@{file}")["output"] == [1, 2]
    file.write_bytes(b"\xff\x00")
    assert answer("SELECT * FROM '#'", "--topic", "a", "--payload", f"@{file}")["output_base64"] == "/wA="
    missing = run("eval", HOT, "--topic", "a", "--payload", f"@{tmp_path}/none")
    assert (missing.exit_code, missing.stderr.strip()) == (
        2,
        f"--payload: {tmp_path}/none cannot be read: No such file or directory",
    )


@pytest.mark.parametrize(
    ("payload", "output"),
    [
        ("plain text", "plain text"),
        ("80", 80),
        ("", ""),
        ("[" * 5000, "[" * 5000),
        ('{"a": 12345678901234567890123}', None),
    ],
)
def test_payloads_of_other_kinds(payload: str, output: object) -> None:
    result = answer("SELECT * FROM 'a'", "--topic", "a", "--payload", payload)
    assert result["output"] == (json.loads(payload) if output is None else output)


def test_output_that_is_undefined_is_left_out() -> None:
    assert answer("SELECT VALUE x FROM 'a'", "--topic", "a") == {
        "fires": True,
        "why": "there is no WHERE clause; x is undefined (the payload is not JSON)",
    }


def test_what_is_selected_and_not_there_is_told() -> None:
    payload = '{"temperature": 51}'
    assert answer(
        "SELECT temprature, 1 AS n FROM 'a' WHERE temperature > 50", "--topic", "a", "--payload", payload
    ) == {
        "fires": True,
        "output": {"n": 1},
        "why": "temperature > 50 was true; temprature is undefined (not in the payload)",
    }


SHADOW = "SELECT get_thing_shadow('t', 'arn:aws:iam::123456789012:role/r').state.on AS it FROM 'a'"


def test_what_services_answer(tmp_path: Path) -> None:
    file = tmp_path / "outside.json"
    file.write_text('{"GET_THING_SHADOW": {"state": {"on": 5.0}}}')
    for outside in ('{"get_thing_shadow": {"state": {"on": 5.0}}}', f"@{file}"):
        assert answer(SHADOW, "--topic", "a", "--outside", outside)["output"] == {"it": 5}
    assert answer(SHADOW, "--topic", "a") == {
        "fires": False,
        "why": "get_thing_shadow() failed: no answer was given for it",
    }


def test_descriptors_of_protobuf_are_given_in_base64() -> None:
    # message M { int32 n = 1; } in m.proto
    descriptors = "ChkKB20ucHJvdG8iDgoBTRIJCgFuGAEgASgF"
    text = "SELECT decode(*, 'proto', 'b', 'k', 'm', 'M').n AS n FROM 'a'"
    options = ("--topic", "a", "--payload", "\x08\x07", "--outside", json.dumps({"decode": descriptors}))
    assert answer(text, *options)["output"] == {"n": 7}


@pytest.mark.parametrize(
    ("outside", "why"),
    [
        ("{", "Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"upper": 1}', "upper: no such function asks another service"),
        ('{"decode": 1}', "Expected `str`, got `int`"),
        ('{"decode": "a!"}', ""),
    ],
)
def test_what_no_service_answers(outside: str, why: str) -> None:
    result = run("eval", SHADOW, "--topic", "a", "--outside", outside)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"--outside is not what services could answer: {why}")


def test_versions() -> None:
    options = ("--topic", "a", "--payload", '{"light":10.0}')
    assert '"output":{"light":10}' in run("eval", "SELECT light FROM 'a'", *options).stdout
    old = run("eval", "SELECT light FROM 'a'", *options, "--sql-version", "2015-10-08")
    assert '"output":{"light":10.0}' in old.stdout
    unknown = run("eval", "SELECT light FROM 'a'", *options, "--sql-version", "2017")
    assert unknown.exit_code == 2
    assert "the SQL version '2017' does not exist" in unknown.stderr


def test_context() -> None:
    text = (
        "SELECT clientid() AS c, principal() AS p, accountid() AS a, sourceip() AS s, timestamp() AS t, "
        "get_user_properties('k') AS u, get_mqtt_property('content_type') AS m FROM 'a'"
    )
    options = ("--client-id", "dev", "--principal", "ab", "--account-id", "1", "--source-ip", "::1", "--timestamp", "7")
    mqtt = '{"contentType": "text/plain", "userProperties": [["k", "v"]]}'
    assert answer(text, "--topic", "a", "--mqtt", mqtt, *options)["output"] == {
        "c": "dev",
        "p": "ab",
        "a": "1",
        "s": "::1",
        "t": 7,
        "u": ["v"],
        "m": "text/plain",
    }
    assert answer("SELECT timestamp() AS t FROM 'a' WHERE timestamp() > 1600000000000", "--topic", "a")["fires"] is True
    wrong = run("eval", text, "--topic", "a", "--mqtt", '{"userProperties": 5}')
    assert wrong.exit_code == 2
    assert wrong.stderr.startswith("--mqtt is not what MQTT properties look like: Expected `array`")


def test_errors_tell_line_and_column_and_exit_2() -> None:
    result = run("eval", "SELECT a\nFROM 'x' WERE a", "--topic", "x")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "unexpected 'WERE'; expected WHERE or the end (line 2, column 10)\n  FROM 'x' WERE a\n           ^\n"
    )


def test_cases(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    good = {"sql": "SELECT upper(c) AS c FROM 'a'", "topic": "a", "payload": {"c": "x"}, "expected": {"c": "X"}}
    template = {**good, "kind": "substitution-template", "template": "t/${c}/${topic()}", "expected": "t/x/a"}
    file.write_text(json.dumps([good, template]))
    result = run("test", str(file))
    assert (result.exit_code, result.stdout) == (0, "2 passed, 0 failed\n")
    bad = [{**good, "expected": {"c": "Y"}}, {**good, "fires": False}, {**good, "sql": "SELECT foo() FROM 'a'"}]
    file.write_text(json.dumps([good, *bad, {**template, "template": "${foo()}"}]))
    result = run("test", str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "case 2: SELECT upper(c) AS c FROM 'a'\n"
        '  message:  a {"c": "x"}\n'
        '  expected: {"c":"Y"}\n'
        '  actual:   {"c":"X"}\n'
        '  where:    c: "Y" was expected, "X" is there\n'
        "case 3: SELECT upper(c) AS c FROM 'a'\n"
        '  message:  a {"c": "x"}\n'
        "  expected: does not fire\n"
        '  actual:   {"c":"X"}\n'
        "case 4: SELECT foo() FROM 'a'\n"
    )
    assert result.stdout.endswith("\n1 passed, 4 failed\n")


CASE = '"sql": "x", "topic": "a"'


@pytest.mark.parametrize(
    "text",
    [
        *("{", "{}", "[5]", '[{"topic": "a"}]', f"[{{{CASE}}}]"),
        f'[{{{CASE}, "fires": true, "expect": 1}}]',
        f'[{{{CASE}, "fires": true, "payload_base64": "a!"}}]',
        f'[{{{CASE}, "fires": true, "outside": {{"upper": 1}}}}]',
    ],
)
def test_files_that_hold_no_cases(tmp_path: Path, text: str) -> None:
    file = tmp_path / "cases.json"
    file.write_text(text)
    result = run("test", str(file))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{file} holds no list of cases: ")


@pytest.mark.parametrize("command", ["eval", "test"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "SELECT" in result.stdout.split("\n", 3)[3]


def test_the_help_of_eval_shows_what_it_prints() -> None:
    example = run(
        "eval", "SELECT * FROM 'room/+' WHERE temperature > 50", "--topic", "room/1", "--payload", '{"temperature": 49}'
    )
    assert example.stdout.strip() in run("eval", "--help").stdout


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from fogbank.cli.sql import sql; "
        "CliRunner().invoke(sql, ['eval', 'SELECT * FROM \"a\"', '--topic', 'a']); "
        "heavy = {'asyncio', 'botocore', 'boto3', 'rich', 'apsw', 'cryptography', 're2', 'google.protobuf'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
