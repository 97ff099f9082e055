from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.policy.document import Effect, MalformedPolicy
from fogbank.policy.evaluate import BoundPolicies, PolicySet, StatementRef
from fogbank.policy.variables import Values, connect_context, connection_variables
from fogbank.ports import PolicyDocument, ThingContext

ARN = "arn:aws:iot:us-east-1:123456789012:"


def statement(effect: str, action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    listed = [resource] if isinstance(resource, str) else resource
    return {"Effect": effect, "Action": action, "Resource": [f"{ARN}{one}" for one in listed]} | more


def document(*statements: dict[str, Any], name: str = "thermostat", version: str = "2012-10-17") -> PolicyDocument:
    return PolicyDocument(name, msgspec.json.encode({"Version": version, "Statement": statements}).decode())


def bound(*statements: dict[str, Any], variables: Values | None = None) -> BoundPolicies:
    return PolicySet.compile([document(*statements)]).bind(variables or {})


LAMP = connection_variables(None, client_id="lamp", thing=ThingContext("lamp", True))
OWN = "topic/${iot:Connection.Thing.ThingName}/*"


def test_denied_unless_allowed() -> None:
    policies = bound(statement("Allow", "iot:Publish", "topic/a"))
    assert policies.decide("iot:Publish", f"{ARN}topic/a").allowed
    assert not policies.decide("iot:Publish", f"{ARN}topic/b").allowed
    assert not policies.decide("iot:Receive", f"{ARN}topic/a").allowed


@given(st.permutations(range(3)))
def test_an_explicit_deny_wins_wherever_it_stands(order: list[int]) -> None:
    statements = [
        statement("Allow", "*", "*"),
        statement("Deny", "iot:Publish", "topic/secret/*"),
        statement("Allow", "iot:Publish", "topic/secret/x"),
    ]
    policies = bound(*(statements[number] for number in order))
    decision = policies.decide("iot:Publish", f"{ARN}topic/secret/x")
    assert not decision.allowed
    assert decision.statement == StatementRef("thermostat", order.index(1) + 1)
    assert policies.decide("iot:Publish", f"{ARN}topic/open").allowed


@pytest.mark.parametrize("action", ["iot:Publish", "IOT:publish", "iot:*", "iot:Pub?ish", "*"])
def test_actions_have_wildcards_and_no_case(action: str) -> None:
    assert bound(statement("Allow", action, "*")).decide("iot:Publish", f"{ARN}topic/a").allowed


def test_not_action() -> None:
    policies = bound({"Effect": "Allow", "NotAction": ["iot:Publish", "iot:Rec*"], "Resource": "*"})
    assert policies.decide("iot:Connect", f"{ARN}client/a").allowed
    assert not policies.decide("iot:Publish", f"{ARN}topic/a").allowed
    assert not policies.decide("iot:Receive", f"{ARN}topic/a").allowed


def test_not_resource_as_the_guide_has_it() -> None:
    """Developer guide, pub-sub-policy: receive everything but a restricted branch."""
    policies = bound({"Effect": "Allow", "Action": "iot:Receive", "NotResource": f"{ARN}topic/a/restricted/*"})
    assert policies.decide("iot:Receive", f"{ARN}topic/a/b").allowed
    assert not policies.decide("iot:Receive", f"{ARN}topic/a/restricted/b").allowed


def test_topic_and_topicfilter_are_different() -> None:
    policies = bound(statement("Allow", "iot:Subscribe", "topic/*"))
    decision = policies.decide("iot:Subscribe", f"{ARN}topicfilter/a")
    assert not decision.allowed
    assert "iot:Subscribe is checked on topicfilter/, not on topic/" in decision.reason


class TestVariables:
    def test_a_thing_has_its_own_topics(self) -> None:
        policies = bound(statement("Allow", "iot:Publish", OWN), variables=LAMP)
        assert policies.decide("iot:Publish", f"{ARN}topic/lamp/data").allowed
        assert not policies.decide("iot:Publish", f"{ARN}topic/other/data").allowed

    def test_a_client_called_star_gets_a_star(self) -> None:
        policies = bound(statement("Allow", "iot:Publish", "topic/${iot:ClientId}"), variables={"iot:ClientId": "*"})
        assert policies.decide("iot:Publish", f"{ARN}topic/*").allowed
        assert not policies.decide("iot:Publish", f"{ARN}topic/a").allowed

    @pytest.mark.parametrize("effect", ["Allow", "Deny"])
    @pytest.mark.parametrize("element", ["Resource", "NotResource"])
    def test_a_statement_with_an_unresolvable_variable_does_not_match(self, effect: str, element: str) -> None:
        open_ = statement("Allow", "iot:Receive" if effect == "Allow" else "iot:Publish", "*")
        policies = bound(open_, {"Effect": effect, "Action": "iot:Publish", element: ["${iot:Missing}", "x"]})
        assert policies.decide("iot:Publish", f"{ARN}topic/a").allowed is (effect == "Deny")

    def test_other_resources_of_the_statement_stand(self) -> None:
        policies = bound(statement("Allow", "iot:Publish", ["topic/public", "topic/${iot:Missing}"]))
        assert policies.decide("iot:Publish", f"{ARN}topic/public").allowed

    def test_a_request_may_bring_the_value(self) -> None:
        policies = bound(statement("Allow", "iot:Connect", "client/${iot:Late}"))
        assert policies.decide("iot:Connect", f"{ARN}client/a", {"iot:Late": "a"}).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a", {"iot:Late": "b"}).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a").allowed

    def test_the_old_version_has_none(self) -> None:
        old = document(statement("Allow", "iot:Publish", "topic/${iot:ClientId}"), version="2008-10-17")
        policies = PolicySet.compile([old]).bind({"iot:ClientId": "lamp"})
        assert not policies.decide("iot:Publish", f"{ARN}topic/lamp").allowed
        assert policies.decide("iot:Publish", f"{ARN}topic/${{iot:ClientId}}").allowed


class TestConditions:
    def test_all_must_hold(self) -> None:
        condition = {"StringEquals": {"iot:A": "1", "iot:B": "1"}, "Null": {"iot:C": "true"}}
        policies = bound(statement("Allow", "iot:Connect", "*", Condition=condition))
        request = {"iot:A": "1", "iot:B": "1"}
        assert policies.decide("iot:Connect", f"{ARN}client/a", request).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a", request | {"iot:B": "2"}).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a", request | {"iot:C": "2"}).allowed

    @pytest.mark.parametrize(
        ("attributes", "allowed"),
        [
            ([], False),
            (["PersistentConnect"], False),
            (["LastWill"], False),
            (["PersistentConnect", "LastWill"], True),
        ],
    )
    def test_persistent_and_will_both_required(self, attributes: list[str], allowed: bool) -> None:
        """Developer guide, connect-policy, the example which requires both."""

        def only(effect: str, *values: str) -> dict[str, Any]:
            condition = {"ForAllValues:StringEquals": {"iot:ConnectAttributes": list(values)}}
            return statement(effect, "iot:Connect", "client/c", Condition=condition)

        policies = bound(
            only("Allow", "PersistentConnect", "LastWill"),
            only("Deny", "PersistentConnect"),
            only("Deny", "LastWill"),
            only("Deny"),
        )
        decision = policies.decide("iot:Connect", f"{ARN}client/c", {"iot:ConnectAttributes": attributes})
        assert decision.allowed is allowed

    def test_a_will_on_one_topic_required(self) -> None:
        condition = {"ArnEquals": {"iot:LastWillTopic": f"{ARN}topic/my/will"}}
        policies = bound(statement("Allow", "iot:Connect", "*", Condition=condition))
        assert policies.decide("iot:Connect", f"{ARN}client/a", {"iot:LastWillTopic": f"{ARN}topic/my/will"}).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a", {"iot:LastWillTopic": f"{ARN}topic/x"}).allowed
        assert not policies.decide("iot:Connect", f"{ARN}client/a").allowed

    def test_of_the_thing(self) -> None:
        condition = {"Bool": {"iot:Connection.Thing.IsAttached": ["true"]}}
        document_ = document(statement("Allow", "iot:Connect", "*", Condition=condition))
        compiled = PolicySet.compile([document_])
        assert compiled.bind(LAMP).decide("iot:Connect", f"{ARN}client/lamp").allowed
        stranger = connection_variables(None, client_id="lamp", thing=ThingContext("lamp", False))
        assert not compiled.bind(stranger).decide("iot:Connect", f"{ARN}client/lamp").allowed


class TestReasons:
    def test_a_denial_names_its_statement(self) -> None:
        policies = bound(statement("Allow", "*", "*"), statement("Deny", "iot:Publish", "topic/a", Sid="NoA"))
        decision = policies.decide("iot:Publish", f"{ARN}topic/a")
        assert decision.statement == StatementRef("thermostat", 2, "NoA")
        assert decision.reason == (f"statement 2 ('NoA') of policy 'thermostat' denies iot:Publish on {ARN}topic/a")

    def test_so_does_a_permission(self) -> None:
        decision = bound(statement("Allow", "*", "*")).decide("iot:Publish", f"{ARN}topic/a")
        assert decision.reason == f"statement 1 of policy 'thermostat' allows iot:Publish on {ARN}topic/a"

    def test_what_is_missing_is_named_with_what_came_close(self) -> None:
        policies = bound(
            statement("Allow", "iot:Connect", "*"),
            statement("Allow", "iot:Publish", "client/x"),
            statement("Allow", "iot:Publish", OWN),
            variables=LAMP,
        )
        decision = policies.decide("iot:Publish", f"{ARN}topic/other/data")
        assert decision.statement is None
        assert decision.reason == (
            f"no statement of policy 'thermostat' allows iot:Publish on {ARN}topic/other/data; add "
            f'{{"Effect": "Allow", "Action": "iot:Publish", "Resource": "{ARN}topic/other/data"}} to allow it. '
            f"Nearest: statement 3 allows iot:Publish on {ARN}topic/lamp/*,"
            " where iot:Connection.Thing.ThingName is 'lamp'"
        )

    def test_a_variable_without_a_value(self) -> None:
        stranger = connection_variables(None, client_id="lamp", thing=ThingContext("lamp", False))
        policies = bound(statement("Allow", "iot:Publish", OWN), variables=stranger)
        assert policies.decide("iot:Publish", f"{ARN}topic/lamp/a").reason.endswith(
            f"allows iot:Publish on {ARN}{OWN}, where iot:Connection.Thing.ThingName has no value:"
            " no thing of the client ID's name, 'lamp', is attached to the certificate"
        )

    def test_a_condition_that_failed(self) -> None:
        condition = {"StringEquals": {"iot:A": ["1", "2"]}}
        policies = bound(
            statement("Allow", "iot:Publish", "topic/ab"), statement("Allow", "iot:Publish", "*", Condition=condition)
        )
        assert policies.decide("iot:Publish", f"{ARN}topic/a").reason.endswith(
            f"statement 2 allows iot:Publish on {ARN}*, but only where StringEquals iot:A [1, 2],"
            " and iot:A has no value: there is no such variable"
        )
        assert policies.decide("iot:Publish", f"{ARN}topic/a", {"iot:A": "3"}).reason.endswith("and iot:A is '3'")

    def test_a_not_resource_that_excludes(self) -> None:
        policies = bound({"Effect": "Allow", "Action": "iot:Publish", "NotResource": f"{ARN}topic/a"})
        assert policies.decide("iot:Publish", f"{ARN}topic/a").reason.endswith(f"on everything but {ARN}topic/a")

    def test_the_suggested_statement_allows_exactly_the_request(self) -> None:
        resource = f'{ARN}topic/${{x}}/*?"$'
        reason = bound(statement("Allow", "iot:Connect", "*")).decide("iot:Publish", resource).reason
        suggested = msgspec.json.decode(reason[reason.index("{", reason.index("add ")) : reason.rindex("}") + 1])
        policies = bound(suggested)
        assert policies.decide("iot:Publish", resource).allowed
        assert not policies.decide("iot:Publish", resource.replace("*", "a")).allowed

    def test_a_denial_says_by_which_pattern_and_condition(self) -> None:
        condition = {"ForAnyValue:StringEquals": {"iot:ConnectAttributes": ["LastWill", "${iot:ClientId}"]}}
        policies = bound(
            statement("Deny", "iot:Connect", ["x", "client/${iot:ClientId}*"], Condition=condition), variables=LAMP
        )
        context = connect_context(persistent=True, will_topic="w")
        assert policies.decide("iot:Connect", f"{ARN}client/lamp1", context).reason == (
            f"statement 1 of policy 'thermostat' denies iot:Connect on {ARN}client/lamp1, as on {ARN}client/lamp*,"
            " where iot:ClientId is 'lamp', as ForAnyValue:StringEquals iot:ConnectAttributes [LastWill,"
            " ${iot:ClientId}] holds: iot:ConnectAttributes is 'PersistentConnect', 'LastWill',"
            " where iot:ClientId is 'lamp'"
        )

    def test_a_denial_on_everything_but(self) -> None:
        excluding = {"Effect": "Deny", "Action": "iot:Publish", "NotResource": f"{ARN}topic/${{iot:ClientId}}"}
        reason = bound(excluding, variables=LAMP).decide("iot:Publish", f"{ARN}topic/a").reason
        assert reason.endswith(f", as on everything but {ARN}topic/lamp")

    def test_what_came_equally_close_is_told_together(self) -> None:
        condition = {"Bool": {"iot:Connection.Thing.IsAttached": "false"}}
        policies = bound(
            statement("Allow", "iot:Connect", "client/x"),
            *(statement("Allow", "iot:Connect", "client/lamp", Sid=f"S{n}", Condition=condition) for n in range(5)),
            variables=LAMP,
        )
        reason = policies.decide("iot:Connect", f"{ARN}client/lamp").reason
        assert [f"('S{n}') allows" in reason for n in range(5)] == [True, True, True, False, False]
        assert "statement 1" not in reason

    def test_wildcards_do_not_hide_what_is_near(self) -> None:
        """`arn:aws:iot:*:*:...` is how most policies are written: agreement goes on behind the stars."""
        policies = bound(
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/device/*"},
            {"Effect": "Allow", "Action": "iot:Publish", "Resource": "arn:aws:iot:*:*:topic/room/${iot:Missing}/*"},
        )
        assert "Nearest: statement 2 allows" in policies.decide("iot:Publish", f"{ARN}topic/room/hall/x").reason

    @pytest.mark.parametrize(
        ("element", "listed", "told"),
        [
            ("Action", ["iot:Publish", "iot:Receive"], "for iot:Publish, iot:Receive"),
            ("NotAction", "iot:Retain*", "for all actions but iot:Retain*"),
        ],
    )
    def test_where_no_statement_is_about_the_action_those_on_the_resource_are_told(
        self, element: str, listed: Any, told: str
    ) -> None:
        policies = bound(
            {"Effect": "Allow", element: listed, "Resource": f"{ARN}topic/a"},
            {"Effect": "Deny", "Action": "iot:Connect", "Resource": f"{ARN}topic/a"},
            statement("Allow", "iot:Publish", "topic/b"),
        )
        reason = policies.decide("iot:RetainPublish", f"{ARN}topic/a").reason
        assert reason.endswith(f"Nearest: statement 1 is about that resource, but {told}")

    def test_publishing_is_no_subscribing(self) -> None:
        reason = bound(statement("Allow", "iot:Publish", "topicfilter/*")).decide("iot:Publish", f"{ARN}topic/a").reason
        assert reason.endswith("iot:Publish is checked on topic/, not on topicfilter/")

    def test_several_policies_and_none(self) -> None:
        a = document(statement("Allow", "iot:Publish", "topic/a"), name="a")
        b = document(statement("Allow", "iot:Publish", "topic/bb"), name="b")
        compiled = PolicySet.compile([a, b])
        reason = compiled.bind({}).decide("iot:Publish", f"{ARN}topic/b").reason
        assert reason.startswith("no statement of policy 'a' or 'b' allows")
        assert "Nearest: statement 1 of policy 'b' allows" in reason
        assert PolicySet.compile([]).bind({}).decide("iot:Publish", "x").reason.startswith("no policy is attached")

    def test_nobody_asks_nothing_is_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("fogbank.policy.explain._scope", lambda *_: pytest.fail("wrote a reason"))
        assert not bound(statement("Allow", "iot:Publish", "topic/a")).decide("iot:Publish", "x").allowed


class TestVerdicts:
    def test_each_policy_speaks_for_itself(self) -> None:
        documents = [
            document(statement("Allow", "iot:Publish", "topic/a"), name="allows"),
            document(
                statement("Allow", "iot:Publish", "*"), statement("Deny", "iot:Publish", "topic/a"), name="denies"
            ),
            document(statement("Allow", "iot:Connect", "*"), name="silent"),
        ]
        verdicts = PolicySet.compile(documents).bind({}).verdicts("iot:Publish", f"{ARN}topic/a")
        assert verdicts == {"allows": Effect.ALLOW, "denies": Effect.DENY, "silent": None}

    def test_what_has_no_value_is_told_once(self) -> None:
        condition = {"Bool": {"IOT:missing": "true"}, "StringEquals": {"iot:Here": "${iot:Other}"}}
        policies = bound(
            statement("Allow", "iot:Publish", "${iot:Missing}", Condition=condition),
            statement("Allow", "iot:Connect", "${iot:Elsewhere}"),
            variables={"iot:Here": "x"},
        )
        assert policies.absent("iot:Publish") == ["IOT:missing", "iot:Other"]
        assert policies.absent("iot:Publish", {"iot:Missing": "x"}) == ["iot:Other"]


class TestCompile:
    def test_the_same_policies_are_compiled_once(self) -> None:
        one, other = document(statement("Allow", "*", "*")), document(statement("Allow", "*", "*"))
        assert PolicySet.compile([one]) is PolicySet.compile(iter([other]))

    def test_a_malformed_policy_is_named(self) -> None:
        with pytest.raises(MalformedPolicy, match=r"^policy 'p', Statement\[1\]: must be a JSON object"):
            PolicySet.compile([PolicyDocument("p", '{"Statement": 1}')])
        with pytest.raises(MalformedPolicy, match=r"^policy 'p': not JSON"):
            PolicySet.compile([PolicyDocument("p", "")])

    def test_connections_do_not_share_values(self) -> None:
        compiled = PolicySet.compile([document(statement("Allow", "iot:Publish", "topic/${iot:ClientId}"))])
        a, b = compiled.bind({"iot:ClientId": "a"}), compiled.bind({"iot:ClientId": "b"})
        assert a.decide("iot:Publish", f"{ARN}topic/a").allowed
        assert b.decide("iot:Publish", f"{ARN}topic/b").allowed
        assert not b.decide("iot:Publish", f"{ARN}topic/a").allowed
