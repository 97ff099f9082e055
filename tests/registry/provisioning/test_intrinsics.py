"""The functions of templates, by tables. The source of each is the developer guide's provision-template, "Intrinsic
functions", and the CloudFormation user guide's page of the same function where that one says no more than its name."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.registry.errors import ResourceRegistrationFailure
from fogbank.registry.provisioning.intrinsics import DEEPEST, LONGEST_TEXT, Compiler, Scope

MAPS = {"Sites": {"Seattle": {"Url": "https://example.aws", "Groups": ["a", "b"]}}}
GIVEN = {"Name": "lamp", "List": "a,b,c", "Index": "1", "AWS::IoT::Certificate::Id": "ab12", "Site": "Seattle"}
COMPILER = Compiler(frozenset((*GIVEN, "Missing")), MAPS)


def evaluate(node: Any, parameters: dict[str, str] | None = None) -> Any:
    return COMPILER.compile(node, "here").evaluate(Scope(GIVEN if parameters is None else parameters, {}, MAPS))


CASES: list[tuple[Any, Any]] = [
    ("as it stands", "as it stands"),
    ("${Name}", "${Name}"),  # outside of Fn::Sub this is text
    ({"Ref": "Name"}, "lamp"),
    ({"Ref": "AWS::IoT::Certificate::Id"}, "ab12"),
    ([{"Ref": "Name"}, "x"], ["lamp", "x"]),
    (
        {"a": {"b": [{"Ref": "Name"}]}, "n": 1, "t": True, "z": None},
        {"a": {"b": ["lamp"]}, "n": 1, "t": True, "z": None},
    ),
    # Fn::Join: "If a delimiter is an empty string, the values are concatenated with no delimiter"
    ({"Fn::Join": ["", ["ThingPrefix_", {"Ref": "Name"}]]}, "ThingPrefix_lamp"),
    ({"Fn::Join": ["-", ["a", "b", "c"]]}, "a-b-c"),
    ({"Fn::Join": ["-", []]}, ""),
    ({"Fn::Join": [";", {"Fn::Split": [",", {"Ref": "List"}]}]}, "a;b;c"),
    ({"Fn::Join": ["+", {"Fn::FindInMap": ["Sites", "Seattle", "Groups"]}]}, "a+b"),
    # Fn::Split, then Fn::Select
    ({"Fn::Split": [",", "a,b,,c"]}, ["a", "b", "", "c"]),
    ({"Fn::Select": [0, {"Fn::Split": [",", {"Ref": "List"}]}]}, "a"),
    ({"Fn::Select": ["2", ["x", "y", "z"]]}, "z"),
    ({"Fn::Select": [{"Ref": "Index"}, ["x", "y"]]}, "y"),
    # Fn::FindInMap: a "two-level map"
    ({"Fn::FindInMap": ["Sites", {"Ref": "Site"}, "Url"]}, "https://example.aws"),
    # Fn::Sub
    ({"Fn::Sub": "no variable"}, "no variable"),
    ({"Fn::Sub": "topic/${Name}/${AWS::IoT::Certificate::Id}"}, "topic/lamp/ab12"),
    ({"Fn::Sub": ["${x}-${Name}", {"x": {"Ref": "Index"}}]}, "1-lamp"),
    ({"Fn::Sub": ["${Name}", {"Name": "local"}]}, "local"),
    ({"Fn::Sub": "${!Name}"}, "${Name}"),
    # variables of IoT policies stay as they are (developer guide, iot-policy-variables)
    ({"Fn::Sub": "client/${iot:Connection.Thing.ThingName}/${Name}"}, "client/${iot:Connection.Thing.ThingName}/lamp"),
    ({"Fn::Sub": "${iot:Certificate.Subject.CommonName} ${*} ${?} ${$} $ {Name} ${"}, None),
    ({"Fn::Sub": "${aws:SourceIp}"}, "${aws:SourceIp}"),
]


@pytest.mark.parametrize(("node", "wanted"), CASES)
def test_functions(node: Any, wanted: Any) -> None:
    assert evaluate(node) == (node["Fn::Sub"] if wanted is None else wanted)


REFUSED: list[tuple[Any, str]] = [
    ({"Ref": "Nobody"}, "'Nobody' is not among the Parameters"),
    ({"Ref": 1}, "must be the name of a parameter, and is a number"),
    ({"Ref": "Name", "x": "y"}, "Ref must be alone"),
    ({"Fn::Sub": "${Nobody}"}, "'Nobody' is not among the Parameters"),
    ({"Fn::Sub": "${AWS::Region}"}, "'AWS::Region' is not among the Parameters"),  # CloudFormation's, not IoT's
    ({"Fn::Sub": ["a"]}, "takes a list: [text, values]"),
    ({"Fn::Sub": ["a", "b"]}, "must be a string, or a list of a string and an object"),
    ({"Fn::Sub": {"Ref": "Name"}}, "must be a string, or a list"),
    ({"Fn::Sub": ["${x}", {"x": ["a"]}]}, "here.Fn::Sub[1].x: must be a string or a function, and is a list"),
    ({"Fn::Join": ["", "text"]}, "must be a list or a function that makes one"),
    ({"Fn::Join": ["", ["a"], "b"]}, "takes a list: [delimiter, values]"),
    ({"Fn::Join": [{"Ref": "Name"}, ["a"]]}, "the delimiter must be a string"),
    ({"Fn::Join": ["", [1]]}, "here.Fn::Join[1][0]: must be a string or a function, and is a number"),
    ({"Fn::Split": ["", "a"]}, "the delimiter is empty"),
    ({"Fn::Select": [True, ["a"]]}, "must be a string or a function, and is a boolean"),
    ({"Fn::Select": [0, {"Ref": "Name"}]}, "must be a list or a function that makes one"),
    ({"Fn::FindInMap": ["Nowhere", "a", "b"]}, "no Mappings 'Nowhere'"),
    ({"Fn::FindInMap": ["Sites", "a"]}, "takes a list: [map, key, key]"),
    ({"Fn::If": ["a", "b", "c"]}, "there is no function 'Fn::If'; there are Ref, Fn::Join"),
    ({"Fn::GetAtt": ["a", "b"]}, "there is no function 'Fn::GetAtt'"),
]


@pytest.mark.parametrize(("node", "reason"), REFUSED)
def test_what_is_no_function_is_refused_with_its_place(node: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        COMPILER.compile(node, "here")
    assert str(told.value).startswith("Invalid registration template. here")
    assert reason in str(told.value)


FAILING: list[tuple[Any, str]] = [
    ({"Ref": "Missing"}, "Parameter Missing has neither a value nor a default"),
    ({"Fn::Sub": "${Missing}"}, "Parameter Missing has neither a value nor a default"),
    # "Both conditions result in a provisioning error": the index is out of bounds
    ({"Fn::Select": [3, ["a", "b", "c"]]}, "there is no item '3' in a list of 3"),
    ({"Fn::Select": ["-1", ["a"]]}, "there is no item '-1'"),
    ({"Fn::Select": ["x", ["a"]]}, "there is no item 'x'"),
    ({"Fn::Select": ["٣", ["a", "b", "c", "d"]]}, "there is no item"),
    ({"Fn::Select": [0, []]}, "there is no item '0' in a list of 0"),
    ({"Fn::FindInMap": ["Sites", {"Ref": "Name"}, "Url"]}, "Mappings has no 'Sites', 'lamp', 'Url'"),
    ({"Fn::FindInMap": [{"Ref": "Name"}, "Seattle", "Url"]}, "Mappings has no 'lamp'"),
    ({"Fn::Join": ["", [{"Fn::Split": [",", "a,b"]}]]}, "must be a string, and is a list"),
]


@pytest.mark.parametrize(("node", "reason"), FAILING)
def test_what_a_device_s_values_do_not_allow_fails(node: Any, reason: str) -> None:
    with pytest.raises(ResourceRegistrationFailure) as told:
        evaluate(node)
    assert reason in str(told.value)


def test_depth_and_length_are_bounded() -> None:
    node: Any = "x"
    for _ in range(DEEPEST + 1):
        node = [node]
    with pytest.raises(InvalidRequest, match="levels deep"):
        COMPILER.compile(node, "here")
    long = {"Name": "x" * (LONGEST_TEXT // 2 + 1)}
    assert len(evaluate({"Fn::Join": ["", [{"Ref": "Name"}]]}, long)) == LONGEST_TEXT // 2 + 1
    for node in ({"Fn::Join": ["", [{"Ref": "Name"}] * 2]}, {"Fn::Sub": "${Name}${Name}"}):
        with pytest.raises(ResourceRegistrationFailure, match="is longer than 65536 characters"):
            evaluate(node, long)


def test_taboos_are_for_what_is_given_and_not_for_defaults() -> None:
    expression = COMPILER.compile({"Fn::Sub": "${Name}/${Index}"}, "here")
    scope = Scope({"Name": "plain"}, {"Index": "*"}, taboo="*\n", purpose="there")
    assert expression.evaluate(scope) == "plain/*"
    with pytest.raises(ResourceRegistrationFailure, match=r"The value of parameter Name has \\n \*, not allowed there"):
        expression.evaluate(Scope({"Name": "*a\n", "Index": "1"}, {}, taboo="*\n", purpose="there"))


@given(st.text(), st.text(alphabet='${}"\\ RefFn::Name!*?,'))
def test_values_are_never_evaluated_again(one: str, other: str) -> None:
    """Whatever a device sends stands there as it sent it, once for each time it is named."""
    given_ = {"Name": one, "Index": other}
    assert evaluate({"Fn::Sub": "<${Name}|${Index}|${Name}>"}, given_) == f"<{one}|{other}|{one}>"
    assert evaluate({"Fn::Join": ["|", [{"Ref": "Name"}, {"Ref": "Index"}]]}, given_) == f"{one}|{other}"
    assert evaluate({"Fn::Sub": ["${a}${b}", {"a": {"Ref": "Name"}, "b": {"Ref": "Index"}}]}, given_) == one + other
    assert evaluate([{"Ref": "Name"}], given_) == [one]
