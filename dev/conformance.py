"""Writes docs/conformance.md: each normative statement of MQTT and the test that holds it, from tests/conformance."""

from pathlib import Path

from tests.conformance.statements import FILES, Statement, deviations, held, paho_suite, statements

REFERENCE = Path(__file__).parent.parent / "docs" / "conformance.md"
SHOWN = 3
"""Tests named for one statement; the others are counted."""

HEAD = """\
# Conformance

<!-- Written by `make docs` from tests/conformance; a test keeps it so. -->

Every statement that the standards [MQTT 3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html)
and [MQTT 5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html) number (`[MQTT-3.1.0-1]`), in our own
words, with the tests that hold it, or why it does not apply. The tests speak to a real process over TCP, packet by
packet: `pytest tests/conformance`. They hold under `--limits open`; where `--limits aws` departs from the standard,
and by which rule of AWS, is the last table.
"""

DEVIATIONS = """\
## Where AWS departs from the standard

Under `--limits aws`, the default. The pages named are those of the AWS IoT Core developer guide: `mqtt` ("MQTT"),
`mqtt5` ("MQTT 5 supported features"), `topics` ("MQTT topics"); quotas are in the AWS General Reference.

| rule of AWS | instead of | shown by |
|---|---|---|"""

PAHO = """\
## The Paho interoperability suite

The tests of the [Eclipse Paho suite](https://github.com/eclipse/paho.mqtt.testing) that do not pass; all others of its
10 for MQTT 3.1.1 (`client_test.py`) and 27 for MQTT 5 (`client_test5.py`) do. It is run by hand. Under `--limits aws`
nearly all of its tests use what AWS does not serve, QoS 2 above all.

| limits | test | why |
|---|---|---|"""


def conformance() -> str:
    """The whole document."""
    rows, tested = statements(), held()
    chapters = [HEAD]
    for standard in FILES:
        own = [one for one in rows.values() if one.standard == standard]
        applicable = sum(one.not_applicable is None for one in own)
        counts = f"{len(own)} statements: {applicable} held by tests, {len(own) - applicable} that do not apply."
        chapters.append(f"## MQTT {standard}\n\n{counts}\n\n| statement | says | held by |\n|---|---|---|")
        for one in own:
            tests = _tests(one, tested.get((standard, one.number), []))
            chapters.append(f"| {one.number} | {_cell(one.says)} | {tests} |")
        chapters.append("")
    chapters.append(DEVIATIONS)
    for rule, place, keys in deviations():
        departed = ", ".join(f"{standard}: {number}" for standard, number in keys) or "a limit left to servers"
        chapters.append(f"| {_cell(rule)} | {departed} | `{place}` |")
    chapters += ["", PAHO]
    for limits, test, why in paho_suite():
        chapters.append(f"| `{limits}` | `{test}` | {_cell(why)} |")
    return "\n".join(chapters) + "\n"


def _tests(one: Statement, places: list[str]) -> str:
    if one.not_applicable is not None:
        return f"*does not apply:* {_cell(one.not_applicable)}"
    named = places + ([one.elsewhere] if one.elsewhere is not None else [])
    rest = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    return ", ".join(f"`{place}`" for place in named[:SHOWN]) + rest


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    REFERENCE.write_text(conformance())
