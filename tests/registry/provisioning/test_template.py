"""Templates by tables: the developer guide's own examples (provision-template, jit-provisioning), what each kind may
say, and what it may not."""

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fogbank.errors import InvalidRequest
from fogbank.policy.document import parse_document
from fogbank.registry.errors import ResourceRegistrationFailure
from fogbank.registry.provisioning.intrinsics import LONGEST_TEXT
from fogbank.registry.provisioning.plan import CertificateWay, Override, Plan
from fogbank.registry.provisioning.template import LONGEST_BODY, SUBJECT_PARAMETERS, Template, TemplateKind

REGISTRATION, JITP, FLEET = TemplateKind.REGISTRATION, TemplateKind.JITP, TemplateKind.FLEET_PROVISIONING
DOCUMENT = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["iot:Publish"], "Resource": ["arn:aws:iot:eu-west-1:1:topic/foo/bar"]}
    ],
}
ESCAPED = msgspec.json.encode(DOCUMENT).decode()
ID = {"Ref": "AWS::IoT::Certificate::Id"}
STRING = {"Type": "String"}


def thing(overrides: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Thing", "Properties": properties, "OverrideSettings": overrides or {}}


def certificate(overrides: dict[str, str] | None = None, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Certificate", "Properties": properties, "OverrideSettings": overrides or {}}


def policy(**properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::IoT::Policy", "Properties": properties}


def parse(template: Any, kind: TemplateKind = REGISTRATION) -> Template:
    return Template.parse(msgspec.json.encode(template).decode(), kind)


# "Template example for bulk registration"
BULK: dict[str, Any] = {
    "Parameters": {
        "ThingName": STRING,
        "SerialNumber": STRING,
        "Location": {"Type": "String", "Default": "WA"},
        "CSR": STRING,
    },
    "Resources": {
        "thing": thing(
            ThingName={"Ref": "ThingName"},
            AttributePayload={"version": "v1", "serialNumber": {"Ref": "SerialNumber"}},
            ThingTypeName="lightBulb-versionA",
            ThingGroups=["v1-lightbulbs", {"Ref": "Location"}],
        ),
        "certificate": certificate(CertificateSigningRequest={"Ref": "CSR"}, Status="ACTIVE"),
        "policy": policy(PolicyDocument=ESCAPED),
    },
}

# "Template example for just-in-time provisioning (JITP)"
JUST_IN_TIME: dict[str, Any] = {
    "Parameters": {
        f"AWS::IoT::Certificate::{name}": STRING for name in ("CommonName", "SerialNumber", "Country", "Id")
    },
    "Resources": {
        "thing": thing(
            {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"},
            ThingName={"Ref": "AWS::IoT::Certificate::CommonName"},
            AttributePayload={"version": "v1", "serialNumber": {"Ref": "AWS::IoT::Certificate::SerialNumber"}},
            ThingTypeName="lightBulb-versionA",
            ThingGroups=["v1-lightbulbs", {"Ref": "AWS::IoT::Certificate::Country"}],
        ),
        "certificate": certificate({"Status": "DO_NOTHING"}, CertificateId=ID, Status="ACTIVE"),
        "policy": policy(PolicyDocument=ESCAPED),
    },
}

# "Template example for fleet provisioning"
FLEETS: dict[str, Any] = {
    "Parameters": {"ThingName": STRING, "SerialNumber": STRING, "DeviceLocation": STRING},
    "Mappings": {"LocationTable": {"Seattle": {"LocationUrl": "https://example.aws"}}},
    "Resources": {
        "thing": thing(
            {"AttributePayload": "MERGE", "ThingTypeName": "REPLACE", "ThingGroups": "DO_NOTHING"},
            AttributePayload={"version": "v1", "serialNumber": "serialNumber"},
            ThingName={"Ref": "ThingName"},
            ThingTypeName={"Fn::Join": ["", ["ThingPrefix_", {"Ref": "SerialNumber"}]]},
            ThingGroups=["v1-lightbulbs", "WA"],
            BillingGroup="LightBulbBillingGroup",
        ),
        "certificate": certificate(CertificateId=ID, Status="Active"),
        "policy": policy(PolicyDocument=DOCUMENT),
    },
    "DeviceConfiguration": {
        "FallbackUrl": "https://www.example.com/test-site",
        "LocationUrl": {"Fn::FindInMap": ["LocationTable", {"Ref": "DeviceLocation"}, "LocationUrl"]},
    },
}


def test_the_guide_s_example_of_bulk_registration() -> None:
    template = parse(BULK)
    assert template.parameters == {"ThingName": None, "SerialNumber": None, "Location": "WA", "CSR": None}
    plan = template.plan({"ThingName": "foo", "SerialNumber": "123", "CSR": "csr1", "Extra": "does not matter"})
    assert plan.thing is not None
    assert plan.certificate is not None
    assert (plan.thing.name, plan.thing.type_name) == ("foo", "lightBulb-versionA")
    assert plan.thing.attributes == {"version": "v1", "serialNumber": "123"}
    assert plan.thing.groups == ("v1-lightbulbs", "WA")
    assert {plan.thing.on_attributes, plan.thing.on_type, plan.thing.on_groups} == {Override.SAME}
    assert (plan.certificate.way, plan.certificate.value) == (CertificateWay.REQUEST, "csr1")
    assert plan.certificate.active
    assert plan.certificate.exclusive is None
    [made] = plan.policies
    assert (made.logical_name, made.document) == ("policy", ESCAPED)
    assert len(made.name) == 40
    assert made.name == made.name.upper()


def test_the_guide_s_example_of_just_in_time_provisioning() -> None:
    values = {f"AWS::IoT::Certificate::{name}": name for name in ("CommonName", "SerialNumber", "Country", "Id")}
    plan = parse(JUST_IN_TIME, JITP).plan(values)
    assert plan.thing is not None
    assert plan.certificate is not None
    assert (plan.thing.name, plan.thing.groups) == ("CommonName", ("v1-lightbulbs", "Country"))
    assert (plan.thing.on_attributes, plan.thing.on_type) == (Override.MERGE, Override.REPLACE)
    assert (plan.thing.on_groups, plan.certificate.on_status) == (Override.DO_NOTHING, Override.DO_NOTHING)
    assert (plan.certificate.way, plan.certificate.value) == (CertificateWay.ID, "Id")


def test_just_in_time_all_declared_parameters_must_be_in_the_certificate() -> None:
    template = parse(JUST_IN_TIME, JITP)
    with pytest.raises(ResourceRegistrationFailure, match="no values for AWS::IoT::Certificate::Country"):
        template.plan({f"AWS::IoT::Certificate::{name}": name for name in ("CommonName", "SerialNumber", "Id")})


def test_the_guide_s_example_of_fleet_provisioning() -> None:
    given_ = {"ThingName": "n", "SerialNumber": "7", "DeviceLocation": "Seattle", "AWS::IoT::Certificate::Id": "ab"}
    plan = parse(FLEETS, FLEET).plan(given_)
    assert plan.thing is not None
    assert (plan.thing.type_name, plan.thing.billing_group) == ("ThingPrefix_7", "LightBulbBillingGroup")
    assert msgspec.json.decode(plan.policies[0].document or "") == DOCUMENT
    assert plan.device_configuration == {
        "FallbackUrl": "https://www.example.com/test-site",
        "LocationUrl": "https://example.aws",
    }


def test_a_policy_as_text_and_as_an_object_is_one_policy() -> None:
    def name(document: Any) -> str:
        return parse(bulk(policy=policy(PolicyDocument=document))).plan(VALUES).policies[0].name

    assert name(DOCUMENT) == name(ESCAPED) != name(ESCAPED.replace("foo", "other"))


def test_what_can_be_left_out_can_be() -> None:
    plan = parse({"Resources": {"only": thing(ThingName="a")}}).plan({})
    assert plan.thing is not None
    assert (plan.thing.attributes, plan.thing.groups, plan.thing.type_name) == (None, None, None)
    assert (plan.certificate, plan.policies) == (None, ())
    plan = parse({"Resources": {"c": certificate(CertificateId=ID)}}, FLEET).plan({"AWS::IoT::Certificate::Id": "a"})
    assert plan.thing is None
    assert plan.certificate is not None
    assert plan.certificate.active
    assert parse({**BULK, "Mappings": {}, "DeviceConfiguration": {}}).device_configuration == {}


@pytest.mark.parametrize("name", [*SUBJECT_PARAMETERS, "AWS::IoT::Certificate::Id"])
def test_what_a_certificate_tells_needs_no_declaration(name: str) -> None:
    resources = {"thing": thing(ThingName={"Ref": name}), "c": certificate(CertificateId=ID)}
    plan = parse({"Resources": resources}, JITP).plan({"AWS::IoT::Certificate::Id": "a", name: "x"})
    assert plan.thing is not None
    assert plan.thing.name == "x"


# --- the properties


@pytest.mark.parametrize(("status", "active"), [("ACTIVE", True), ("Active", True), ("inactive", False)])
def test_the_case_of_a_status_does_not_matter(status: str, active: bool) -> None:
    for template, given_ in (
        (bulk(certificate=certificate(CertificateId="x", Status=status)), VALUES),
        (bulk(certificate=certificate(CertificateId="x", Status={"Ref": "CSR"})),
         VALUES | {"CSR": status}),
    ):  # fmt: skip
        found = parse(template).plan(given_).certificate
        assert found is not None
        assert found.active is active


@pytest.mark.parametrize(("type_", "exclusive"), [("EXCLUSIVE_THING", True), ("NON_EXCLUSIVE_THING", False)])
def test_the_type_of_the_principal(type_: str, exclusive: bool) -> None:
    resource = certificate(CertificateId="x", ThingPrincipalType=type_)
    found = parse(bulk(certificate=resource)).plan(VALUES).certificate
    assert found is not None
    assert found.exclusive is exclusive


@pytest.mark.parametrize("value", list(Override))
def test_override_settings_by_both_spellings(value: Override) -> None:
    """(Override settings: the list of names is in upper case, the examples are not)"""
    if value is Override.SAME:
        return
    for names in (("AttributePayload", "ThingGroups"), ("ATTRIBUTE_PAYLOAD", "THING_GROUPS")):
        resource = thing(dict.fromkeys(names, value.value), ThingName="a")
        found = parse({"Resources": {"thing": resource}}).plan({}).thing
        assert found is not None
        assert {found.on_attributes, found.on_groups} == {value}


def test_a_list_of_groups_can_be_split_from_a_parameter() -> None:
    groups = {"Fn::Split": [",", {"Ref": "Location"}]}
    template = bulk(thing=thing(ThingName="a", ThingGroups=groups))
    found = parse(template).plan(VALUES | {"Location": "a,b,a"}).thing
    assert found is not None
    assert found.groups == ("a", "b")


# --- what is refused


def changed(template: dict[str, Any], section: str, **members: Any) -> dict[str, Any]:
    """A template with other members in a section; None takes one away."""
    found = copy.deepcopy(template)
    found[section] = {name: one for name, one in {**found.get(section, {}), **members}.items() if one is not None}
    return found


def bulk(**resources: Any) -> dict[str, Any]:
    return changed(BULK, "Resources", **resources)


VALUES = {"ThingName": "foo", "SerialNumber": "123", "CSR": "csr1"}
NO_CERTIFICATE = {"certificate": None}

REFUSED: list[tuple[TemplateKind, Any, str]] = [
    (REGISTRATION, [], "must be a JSON object"),
    (REGISTRATION, {}, "Resources: must have a thing or an AWS::IoT::Certificate"),
    (REGISTRATION, {"Resources": []}, "Resources: must be an object"),
    (REGISTRATION, {**BULK, "Conditions": {}}, "sections that templates do not have: Conditions; there are Parameters"),
    (REGISTRATION, {**BULK, "Outputs": {}, "Rules": {}}, "Outputs, Rules"),
    (REGISTRATION, {**BULK, "Mappings": {"a": {"b": {"c": "d"}}}}, "Mappings: only fleet provisioning templates"),
    (JITP, {**JUST_IN_TIME, "DeviceConfiguration": {"a": "b"}}, "DeviceConfiguration: only fleet provisioning"),
    # Parameters: "parameter type only String"
    (REGISTRATION, changed(BULK, "Parameters", X={"Type": "Number"}), "Parameters.X: Type must be String"),
    (REGISTRATION, changed(BULK, "Parameters", X={}), "Parameters.X: Type must be String"),
    (REGISTRATION, changed(BULK, "Parameters", X="String"), "Parameters.X: must be an object"),
    (REGISTRATION, changed(BULK, "Parameters", X={"Type": "String", "Min": 1}), "Parameters.X: must be an object"),
    (REGISTRATION, changed(BULK, "Parameters", X={"Type": "String", "Default": 1}), "Default must be a string"),
    # Mappings: two levels, no functions
    (FLEET, {**FLEETS, "Mappings": {"a": {"b": "c"}}}, "Mappings.a: must have two levels"),
    (FLEET, {**FLEETS, "Mappings": {"a": {"b": {"c": {"Ref": "ThingName"}}}}}, "Mappings.a.b.c: must be a string"),
    (FLEET, {**FLEETS, "Mappings": {"a": {"b": {"c": [1]}}}}, "Mappings.a.b.c: must be a string or a list"),
    # DeviceConfiguration "doesn't support nested JSON objects"
    (FLEET, {**FLEETS, "DeviceConfiguration": {"a": {"b": "c"}}}, "DeviceConfiguration.a: must be a string"),
    (FLEET, {**FLEETS, "DeviceConfiguration": {"a": ["b"]}}, "DeviceConfiguration.a: must be a string"),
    (FLEET, {**FLEETS, "DeviceConfiguration": {"a": 60}}, "DeviceConfiguration.a: must be a string"),
    # resources
    (REGISTRATION, bulk(x={"Type": "AWS::IoT::Rule"}), "Resources.x: Type must be one of"),
    (REGISTRATION, bulk(x="AWS::IoT::Thing"), "Resources.x: Type must be one of"),
    (REGISTRATION, bulk(x={"Type": ["AWS::IoT::Thing"]}), "Resources.x: Type must be one of"),
    (REGISTRATION, bulk(x=thing(ThingName="b")), "Resources.x: there can be one AWS::IoT::Thing"),
    (REGISTRATION, bulk(x=certificate(CertificateId="b")), "there can be one AWS::IoT::Certificate"),
    (REGISTRATION, bulk(**NO_CERTIFICATE), "must have an AWS::IoT::Certificate for its policies"),
    (JITP, changed(JUST_IN_TIME, "Resources", policy=None, **NO_CERTIFICATE), "must have an AWS::IoT::Certificate"),
    (REGISTRATION, bulk(x={**policy(PolicyName="a"), "DependsOn": "b"}), "unknown: DependsOn"),
    (REGISTRATION, bulk(x={"Type": "AWS::IoT::Policy", "Properties": []}), "must be an object"),
    (REGISTRATION, bulk(**{f"p{i}": policy(PolicyName=f"p{i}") for i in range(10)}), "10 policies"),
    # things
    (REGISTRATION, bulk(thing=thing()), "Resources.thing: ThingName is missing"),
    (REGISTRATION, bulk(thing=thing(ThingName=["a"])), "ThingName: must be a string or a function"),
    (REGISTRATION, bulk(thing=thing(ThingName="a", Name="b")), "Properties: unknown: Name"),
    (REGISTRATION, bulk(thing=thing(ThingName="a", PackageVersions={"p": "1"})),
     "PackageVersions: is not supported by Fogbank"),
    (REGISTRATION, bulk(thing=thing(ThingName="a", ThingGroups="g")), "ThingGroups: must be a list"),
    (REGISTRATION, bulk(thing=thing(ThingName="a", AttributePayload=["g"])), "must be an object"),
    (REGISTRATION, bulk(thing=thing(ThingName="a", AttributePayload={"a": 1})),
     "Resources.thing.Properties.AttributePayload.a: must be a string"),
    # override settings
    (REGISTRATION, bulk(thing=thing({"ThingTypeName": "MERGE"}, ThingName="a")),
     "OverrideSettings.ThingTypeName: must be one of DO_NOTHING, REPLACE, FAIL"),
    (REGISTRATION, bulk(thing=thing({"ThingGroups": "replace"}, ThingName="a")), "must be one of"),
    (REGISTRATION, bulk(thing=thing({"BillingGroup": "FAIL"}, ThingName="a")), "there are Attribute"),
    (REGISTRATION, bulk(thing=thing({"ThingGroups": "FAIL", "THING_GROUPS": "FAIL"}, ThingName="a")),
     "once"),
    (REGISTRATION, bulk(certificate=certificate({"Status": "MERGE"}, CertificateId="a")),
     "OverrideSettings.Status: must be one of"),
    (REGISTRATION, bulk(x={**policy(PolicyName="a"), "OverrideSettings": {"PolicyName": "FAIL"}}),
     "OverrideSettings.PolicyName: there are none for this type"),
    # "When you declare a certificate in a template, use only one of these methods"
    (REGISTRATION, bulk(certificate=certificate()), "must have exactly one of CertificateSigning"),
    (REGISTRATION, bulk(certificate=certificate(CertificateId="a", CertificatePem="b")), "exactly one"),
    (REGISTRATION, bulk(certificate=certificate(CertificateId="a", CACertificatePem="b")),
     "CACertificatePem: goes with CertificatePem alone"),
    (REGISTRATION, bulk(certificate=certificate(CertificateId="a", Status="REVOKED")),
     "Status: cannot be 'REVOKED'"),
    (REGISTRATION, bulk(certificate=certificate(CertificateId="a", ThingPrincipalType="x")),
     "ThingPrincipalType: cannot be 'x'"),
    # "Only certificate IDs can be used with a fleet provisioning template"; of JITP: "You must use CertificateId"
    *(
        (kind, changed(template, "Resources", certificate=resource), "CertificateId must be {\"Ref\"")
        for kind, template in ((JITP, JUST_IN_TIME), (FLEET, FLEETS))
        for resource in (
            certificate(CertificatePem=ID),
            certificate(CertificateSigningRequest=ID),
            certificate(CertificateId="0" * 64),
            certificate(CertificateId={"Fn::Join": ["", [ID]]}),
        )
    ),
    (FLEET, changed(FLEETS, "Resources", certificate=certificate(CertificateId={"Ref": "ThingName"})), "must be {"),
    # policies: "PolicyName or PolicyDocument, but not both, must be specified"
    (REGISTRATION, bulk(policy=policy()), "Neither policyName nor policyDocument is present"),
    (REGISTRATION, bulk(policy=policy(PolicyName="a", PolicyDocument=ESCAPED)), "but not both"),
    (REGISTRATION, bulk(policy=policy(PolicyDocument="{")), "Policy document is malformed"),
    (REGISTRATION, bulk(policy=policy(PolicyDocument=[])), "PolicyDocument: must be a string"),
    (REGISTRATION, bulk(policy=policy(PolicyDocument={})), "the document has no Statement"),
    (REGISTRATION, bulk(policy=policy(PolicyDocument={"Version": "2012-10-17"})), "no Statement"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "template", "reason"), REFUSED)
def test_what_is_no_template_is_refused(kind: TemplateKind, template: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        parse(template, kind)
    assert str(told.value).startswith("Invalid registration template.")
    assert reason in str(told.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "JSON not well-formed"),
        ("{'Parameters': {}}", "JSON not well-formed"),  # in the words of AWS, as its users report them
        ('{"Resources": NaN}', "JSON not well-formed"),
        ('{"Resources": "\ud800"}', "JSON not well-formed"),
        ('{"Resources": "\\ud800"}', "JSON not well-formed"),
        ('{"Resources": {}, "Resources": {}}', "'Resources' stands twice"),
        ('{"Resources": {"a": {"Type": "x", "Type": "y"}}}', "'Type' stands twice"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        (" " * (LONGEST_BODY + 1), "longer than 10240 characters"),
    ],
)
def test_what_is_no_json_is_refused(body: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        Template.parse(body, REGISTRATION)
    assert reason in str(told.value)


def test_refusals_are_short_whatever_is_refused() -> None:
    long = "x" * 8000
    refused: list[Any] = [{"Resources": {long: {}}}, {long: {}}, bulk(x=thing(None, **{long: "a"}))]
    for template in refused:
        with pytest.raises(InvalidRequest) as told:
            parse(template)
        assert len(str(told.value)) < 1000


FAILING: list[tuple[dict[str, Any], dict[str, str], str]] = [
    (BULK, {}, "has neither a value nor a default"),
    (BULK, VALUES | {"CSR": "x" * (LONGEST_TEXT + 1)}, "Parameter CSR is longer than"),
    (BULK, VALUES | {"CSR": "\ud800"}, "Parameter CSR is not valid Unicode"),
    (bulk(certificate=certificate(CertificateId="x", Status={"Ref": "CSR"})), VALUES, "cannot be 'csr1'"),
    (bulk(certificate=certificate(CertificateId="x", ThingPrincipalType={"Ref": "CSR"})), VALUES,
     "ThingPrincipalType: cannot be 'csr1'"),
    (bulk(policy=policy(PolicyDocument={"Ref": "CSR"})), VALUES, "Policy document is malformed"),
]  # fmt: skip


@pytest.mark.parametrize(("template", "values", "reason"), FAILING)
def test_what_values_do_not_allow_fails(template: dict[str, Any], values: dict[str, str], reason: str) -> None:
    with pytest.raises(ResourceRegistrationFailure) as told:
        parse(template).plan(values)
    assert reason in str(told.value)


def test_device_configuration_is_bounded_altogether() -> None:
    configuration = {f"k{i}": {"Ref": "ThingName"} for i in range(3)}
    template = parse({**FLEETS, "DeviceConfiguration": configuration}, FLEET)
    values = {"SerialNumber": "7", "AWS::IoT::Certificate::Id": "ab", "ThingName": "x" * (LONGEST_TEXT // 2)}
    with pytest.raises(ResourceRegistrationFailure, match="DeviceConfiguration is longer"):
        template.plan(values)


# --- injection: values come from devices

TEXTS = st.text(max_size=20) | st.text(alphabet='{}[]":,\\/ $*?\nReFn', max_size=20) | st.sampled_from(
    ['"]}, {"Effect": "Allow", "Action": "*"', "*", "${iot:ClientId}", '{"Ref": "CSR"}', "a/../*", "\\", '"', "\u2028"]
)  # fmt: skip
AS_OBJECT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "iot:Publish",
            "Resource": [
                {"Fn::Sub": "arn:aws:iot:eu-west-1:1:topic/${SerialNumber}/${iot:ClientId}"},
                {"Fn::Join": ["", ["arn:aws:iot:eu-west-1:1:topic/", {"Ref": "ThingName"}]]},
            ],
        }
    ],
}
AS_TEXT = {
    "Fn::Sub": '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish", "Resource":'
    ' ["arn:aws:iot:eu-west-1:1:topic/${SerialNumber}/${iot:ClientId}",'
    ' "arn:aws:iot:eu-west-1:1:topic/${ThingName}"]}]}'
}


def planned(document: Any, kind: TemplateKind, one: str, other: str) -> Plan:
    template = changed(FLEETS, "Resources", policy=policy(PolicyDocument=document))
    if kind is REGISTRATION:
        template = bulk(policy=policy(PolicyDocument=document))
    values = {"SerialNumber": one, "ThingName": other, "CSR": "x", "DeviceLocation": "Seattle"}
    return parse(template, kind).plan({**values, "AWS::IoT::Certificate::Id": "ab"})


@pytest.mark.parametrize("document", [AS_OBJECT, AS_TEXT])
@pytest.mark.parametrize("kind", [REGISTRATION, FLEET])
@given(one=TEXTS, other=TEXTS)
def test_values_never_change_what_a_policy_is(kind: TemplateKind, document: Any, one: str, other: str) -> None:
    """Either the values stand in the resources as they are, and nowhere else, or the device is refused."""
    try:
        plan = planned(document, kind, one, other)
    except ResourceRegistrationFailure:
        return
    assert msgspec.json.decode(plan.policies[0].document or "") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "iot:Publish",
                "Resource": [
                    f"arn:aws:iot:eu-west-1:1:topic/{one}/${{iot:ClientId}}",
                    f"arn:aws:iot:eu-west-1:1:topic/{other}",
                ],
            }
        ],
    }
    if kind is FLEET:
        [statement] = parse_document(plan.policies[0].document or "").statements
        assert statement.references == ["iot:ClientId"]
        for resource in statement.resources:
            assert not any(wild in resource.text.replace("${iot:ClientId}", "") for wild in "*?$")


@pytest.mark.parametrize("document", [AS_OBJECT, AS_TEXT])
@pytest.mark.parametrize("wild", ["*", "a?", "${iot:ClientId}", "$", "{x}"])
def test_devices_bring_no_wildcards_into_policies(document: Any, wild: str) -> None:
    with pytest.raises(
        ResourceRegistrationFailure, match=r"not allowed in Resources\.policy\.Properties\.PolicyDocument"
    ):
        planned(document, FLEET, "plain", wild)
    planned(AS_OBJECT, FLEET, "plain", "plain")


def test_who_registers_may_hand_over_wildcards_and_whole_documents() -> None:
    planned(AS_OBJECT, REGISTRATION, "*", "*")
    assert planned({"Ref": "ThingName"}, REGISTRATION, "", ESCAPED).policies[0].document == ESCAPED
    with pytest.raises(ResourceRegistrationFailure, match="not allowed in"):
        planned({"Ref": "ThingName"}, FLEET, "", ESCAPED)


def test_policy_variables_stay_as_they_are_in_documents_without_functions() -> None:
    for document in (DOCUMENT, ESCAPED):
        text = msgspec.json.encode(document).decode().replace("foo/bar", "${iot:Connection.Thing.ThingName}/${AWS::x}")
        found = planned(msgspec.json.decode(text), FLEET, "a", "b").policies[0].document or ""
        assert "${iot:Connection.Thing.ThingName}/${AWS::x}" in found


def test_a_document_can_be_taken_from_a_map() -> None:
    template = {**FLEETS, "Mappings": {**FLEETS["Mappings"], "Policies": {"of": {"lamps": ESCAPED, "bad": "{"}}}}
    for name, reason in (("lamps", ""), ("bad", "Resources.policy.Properties.PolicyDocument: Policy document is malf")):
        document = {"Fn::FindInMap": ["Policies", "of", name]}
        whole = changed(template, "Resources", policy=policy(PolicyDocument=document))
        if reason:
            with pytest.raises(InvalidRequest, match=reason):
                parse(whole, FLEET)
            continue
        values = {"ThingName": "n", "SerialNumber": "7", "DeviceLocation": "Seattle", "AWS::IoT::Certificate::Id": "ab"}
        assert parse(whole, FLEET).plan(values).policies[0].document == ESCAPED


def test_where_a_policy_s_name_is_wrong_is_said_too() -> None:
    template = bulk(policy=policy(PolicyName={"Fn::Select": [1, ["a"]]}))
    with pytest.raises(ResourceRegistrationFailure, match=r"Resources\.policy\.Properties\.PolicyName\.Fn::Select"):
        parse(template).plan(VALUES)
