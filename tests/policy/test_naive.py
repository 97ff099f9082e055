"""The evaluation against a naive one, over policies that hypothesis writes."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.policy import naive

from fogbank.policy import PolicySet
from fogbank.policy.document import Effect
from fogbank.policy.wildcards import agreement, matcher, tokens_of
from fogbank.ports import PolicyDocument

ACTIONS = st.sampled_from(["iot:Publish", "iot:Receive", "iot:*", "IOT:pub*", "iot:?eceive", "*", "iot:Connect"])
PIECES = ["t/", "a", "b", "*", "?", "+", "#", "${v}", "${w}", "${missing}", "${several}", "${*}", "${?}", "${$}", "$"]
PATTERNS = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join), st.sampled_from(["*", "t/*", "t/${v}"])
)
TEXTS = st.lists(st.sampled_from(["t/", "a", "b", "*", "?", "#", "$"]), max_size=4).map("".join)
STRING_OPERATORS = [
    f"{qualifier}{base}{suffix}"
    for qualifier in ("", "ForAllValues:", "ForAnyValue:")
    for base in (
        "StringEquals",
        "StringNotEquals",
        "StringLike",
        "StringNotLike",
        "StringEqualsIgnoreCase",
        "StringNotEqualsIgnoreCase",
    )
    for suffix in ("", "IfExists")
]
KEYS = st.sampled_from(["v", "w", "several", "missing", "flag"])
BOOLEANS = st.lists(st.sampled_from(["true", "false"]), min_size=1, max_size=2)
CONDITIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.dictionaries(
        st.sampled_from(STRING_OPERATORS),
        st.dictionaries(KEYS, st.lists(PATTERNS, max_size=2), min_size=1, max_size=2),
        max_size=2,
    ),
    st.dictionaries(st.sampled_from(["Bool", "Null", "BoolIfExists"]), st.dictionaries(KEYS, BOOLEANS, min_size=1)),
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(st.lists(ACTIONS, min_size=1, max_size=2)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(
            st.lists(PATTERNS, min_size=1, max_size=2)
        ),
        "Condition": draw(CONDITIONS),
    }


DOCUMENTS = st.fixed_dictionaries(
    {
        "Version": st.sampled_from(["2012-10-17", "2012-10-17", "2008-10-17"]),
        "Statement": st.lists(statements(), min_size=1, max_size=3),
    }
)
VALUES = st.fixed_dictionaries(
    {"v": TEXTS.filter(bool)},
    optional={
        "w": st.sampled_from(["*", "?", "a", "A"]),
        "several": st.lists(st.sampled_from(["a", "b", "*"]), max_size=3),
        "flag": st.sampled_from(["true", "False"]),
    },
)
# ${ without a } is refused when a policy is made; bare dollars never meet an opening brace in these pieces


@given(st.lists(DOCUMENTS, max_size=3), st.sampled_from(["iot:Publish", "iot:Receive"]), TEXTS, VALUES)
def test_it_decides_as_the_naive_evaluation_does(
    documents: list[dict[str, Any]], action: str, resource: str, values: naive.Values
) -> None:
    policies = [PolicyDocument(f"p{n}", msgspec.json.encode(one).decode()) for n, one in enumerate(documents)]
    bound = PolicySet.compile(policies).bind(values)
    expected = naive.decide(documents, action, resource, values)
    decision = bound.decide(action, resource)
    assert (decision.allowed, decision.statement is not None) == (expected == "ALLOW", expected != "NONE")
    assert decision.reason, "every decision can be put into words"
    words = {Effect.ALLOW: "ALLOW", Effect.DENY: "DENY", None: "NONE"}
    assert {name: words[effect] for name, effect in bound.verdicts(action, resource).items()} == {
        policy.name: naive.decide([one], action, resource, values)
        for policy, one in zip(policies, documents, strict=True)
    }


@given(st.dictionaries(st.sampled_from(["v", "w", "several"]), TEXTS.filter(bool)), DOCUMENTS, VALUES)
def test_values_that_come_with_the_request_count_like_those_of_the_connection(
    late: dict[str, str], document: dict[str, Any], early: naive.Values
) -> None:
    policies = PolicySet.compile([PolicyDocument("p", msgspec.json.encode(document).decode())])
    values = {**early, **late}
    whole = policies.bind(values).decide("iot:Publish", "t/a")
    parted = policies.bind({name: value for name, value in early.items() if name not in late})
    decision = parted.decide("iot:Publish", "t/a", late or None)
    assert (decision.allowed, decision.statement) == (whole.allowed, whole.statement)


@given(st.lists(st.sampled_from("ab*?"), max_size=8).map("".join), st.text("ab", max_size=8))
def test_agreement_is_whole_where_a_pattern_matches_and_less_where_its_text_is_not_there(
    pattern: str, text: str
) -> None:
    tokens = tokens_of(pattern)
    whole = sum(1 for char in pattern if char != "*")
    agreed = agreement(tokens, text)
    assert 0 <= agreed <= whole
    if matcher(tokens)(text):
        assert agreed == whole
    elif agreed == whole:
        assert matcher((*tokens, *tokens_of("*")))(text), "only what follows can be what is wrong"
