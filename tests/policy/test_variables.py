import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.policy import connect_context, direct_message_context
from fogbank.policy.variables import (
    Template,
    UnclosedVariable,
    Values,
    Variables,
    connection_variables,
    parse_template,
)
from fogbank.policy.wildcards import matcher
from fogbank.ports import Identity, ThingContext


def template(text: str) -> Template:
    return parse_template(text, variables=True)


def matches(text: str, values: Values, candidate: str) -> bool:
    tokens = template(text).fill(Variables(values))
    return tokens is not None and matcher(tokens)(candidate)


@given(st.text(st.sampled_from("ab*?+#${}"), max_size=6), st.text(st.sampled_from("ab*?+#${}"), max_size=6))
def test_a_value_never_acts_as_a_pattern(value: str, candidate: str) -> None:
    assert matches("topic/${iot:ClientId}", {"iot:ClientId": value}, f"topic/{candidate}") is (value == candidate)


@pytest.mark.parametrize(
    ("text", "candidate", "expected"),
    [
        ("a/${*}", "a/*", True),
        ("a/${*}", "a/b", False),
        ("a/${?}", "a/?", True),
        ("a/${?}", "a/b", False),
        ("a/${$}{iot:ClientId}", "a/${iot:ClientId}", True),
        ("a/$x/}", "a/$x/}", True),
        ("${iot:ClientId}*", "lamp/1", True),
        ("${IOT:clientid}", "lamp", True),
        ("${iot:Unknown}", "", False),
        ("${iot:Unknown}", "${iot:Unknown}", False),
        ("*${iot:Unknown}*", "anything", False),
        ("${}", "", False),
    ],
)
def test_templates(text: str, candidate: str, expected: bool) -> None:
    assert matches(text, {"iot:ClientId": "lamp"}, candidate) is expected


def test_without_variables_a_reference_is_text() -> None:
    tokens = parse_template("a/${*}", variables=False).fill(Variables({}))
    assert tokens is not None
    assert matcher(tokens)("a/${anything}")


def test_a_variable_must_be_closed() -> None:
    with pytest.raises(UnclosedVariable, match=r"a/\$\{iot:ClientId"):
        template("a/${iot:ClientId")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iot:Certificate.Subject.CommonName", "one"),
        ("iot:Certificate.Subject.CommonName.0", "one"),
        ("iot:Certificate.Subject.CommonName.1", "two"),
        ("iot:Certificate.Subject.CommonName.2", None),
        ("iot:Certificate.Subject.CommonName.²", None),
        ("iot:Certificate.Subject.CommonName." + "9" * 5000, None),
        ("iot:Certificate.Subject.Title", None),
        ("iot:Connection.Thing.Attributes[Room]", "hall"),
        ("iot:Connection.Thing.Attributes[room]", None),
    ],
)
def test_several_values(name: str, expected: str | None) -> None:
    """Developer guide, X.509 certificate policy variables."""
    values: Values = {
        "iot:Certificate.Subject.CommonName": ["one", "two"],
        "iot:Certificate.Subject.Title": [],
        "iot:Connection.Thing.Attributes[Room]": "hall",
    }
    found = template("${" + name + "}").fill(Variables(values))
    assert found == (None if expected is None else (expected,))


def test_condition_keys_have_all_their_values_but_certificate_names_the_first() -> None:
    variables = Variables({"iot:Certificate.Subject.CommonName": ["one", "two"]}, {"iot:ConnectAttributes": ["a", "b"]})
    assert variables.all("iot:connectattributes") == ["a", "b"]
    assert variables.all("iot:certificate.subject.commonname") == ["one"]
    assert variables.all("iot:certificate.subject.commonname.list") == ["one", "two"]
    assert variables.all("iot:certificate.subject.commonname.1") == ["two"]
    assert variables.all("iot:topic") is None


def test_the_context_wins_over_the_connection() -> None:
    extended = Variables({"iot:ClientId": "a", "iot:Topic": "t"}).extended({"iot:topic": "u"})
    assert extended.text("iot:topic") == "u"
    assert extended.text("iot:clientid") == "a"


def test_the_variables_of_a_connection() -> None:
    identity = Identity("c" * 64, "arn:aws:iot:r:1:cert/c", True, attributes={"iot:Certificate.Subject.Country": "SE"})
    thing = ThingContext("lamp", True, "Lamp", {"room": "hall"})
    assert connection_variables(
        identity, client_id="lamp", thing=thing, source_ip="127.0.0.1", domain_name="iot.example"
    ) == {
        "iot:CertificateId": "c" * 64,
        "iot:Certificate.Subject.Country": "SE",
        "iot:ClientId": "lamp",
        "aws:SourceIp": "127.0.0.1",
        "iot:DomainName": "iot.example",
        "iot:Connection.Thing.IsAttached": "true",
        "iot:Connection.Thing.ThingName": "lamp",
        "iot:Thing.ThingName": "lamp",
        "iot:Connection.Thing.ThingTypeName": "Lamp",
        "iot:Connection.Thing.Attributes[room]": "hall",
    }


def test_of_a_thing_that_is_not_attached_only_that_is_known() -> None:
    thing = ThingContext("lamp", False, "Lamp", {"room": "hall"})
    assert connection_variables(None, client_id="lamp", thing=thing) == {
        "iot:ClientId": "lamp",
        "iot:Connection.Thing.IsAttached": "false",
    }


def test_over_http_there_is_no_client_and_no_thing() -> None:
    assert connection_variables(None) == {}


@pytest.mark.parametrize(
    ("source_ip", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:cb00:7107", "203.0.113.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("a socket", "a socket"),
    ],
)
def test_an_address_is_what_policies_call_it(source_ip: str, expected: str) -> None:
    """A listener on both kinds of addresses sees the older kind mapped into the newer. (RFC 4291, 2.5.5.2)"""
    assert connection_variables(None, source_ip=source_ip) == {"aws:SourceIp": expected}


def test_a_domain_name_in_capitals_is_the_same() -> None:
    """A client that spells the name its own way must not slip through a denial. (RFC 4343)"""
    assert connection_variables(None, domain_name="Fleet.EXAMPLE") == {"iot:DomainName": "fleet.example"}


@pytest.mark.parametrize("arn", ["", "arn:aws:iot:r:1:authorizer/cert/a"])
def test_only_a_certificate_has_a_certificate_id(arn: str) -> None:
    """What a custom authorizer calls its client is no certificate's ID, though it may look like one."""
    identity = Identity("c" * 64, arn, True, attributes={"k": "v"})
    assert connection_variables(identity) == {"k": "v"}


def test_the_condition_key_of_direct_messages() -> None:
    assert direct_message_context("a/b") == {"iot:Topic": "a/b"}


@pytest.mark.parametrize(
    ("persistent", "will", "context"),
    [
        (False, None, {"iot:ConnectAttributes": []}),
        (True, None, {"iot:ConnectAttributes": ["PersistentConnect"]}),
        (False, "arn:w", {"iot:ConnectAttributes": ["LastWill"], "iot:LastWillTopic": "arn:w"}),
        (True, "arn:w", {"iot:ConnectAttributes": ["PersistentConnect", "LastWill"], "iot:LastWillTopic": "arn:w"}),
    ],
)
def test_the_condition_keys_of_connect(persistent: bool, will: str | None, context: dict[str, object]) -> None:
    """Developer guide, connect-policy."""
    assert connect_context(persistent=persistent, will_topic=will) == context
