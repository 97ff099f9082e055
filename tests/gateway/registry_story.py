"""The registry's odds and ends as boto3 sees them: billing groups, tags of everything, events, connectivity."""

from typing import Any

import pytest

POLICY = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}}'


def billing_groups(iot: Any) -> None:
    """From an empty one to none."""
    made = iot.create_billing_group(
        billingGroupName="north", billingGroupProperties={"billingGroupDescription": "all of it"}
    )
    more = {"billingGroupDescription": "most of it"}
    updated = iot.update_billing_group(billingGroupName="north", billingGroupProperties=more, expectedVersion=1)
    assert updated["version"] == 2
    described = iot.describe_billing_group(billingGroupName="north")
    assert (described["billingGroupArn"], described["version"]) == (made["billingGroupArn"], 2)
    assert described["billingGroupProperties"] == more
    listed = iot.list_billing_groups(namePrefixFilter="n")["billingGroups"]
    assert listed == [{"groupName": "north", "groupArn": made["billingGroupArn"]}]
    iot.create_thing(thingName="meter")
    iot.add_thing_to_billing_group(billingGroupName="north", thingName="meter")
    assert iot.describe_thing(thingName="meter")["billingGroupName"] == "north"
    assert iot.list_things_in_billing_group(billingGroupName="north")["things"] == ["meter"]
    iot.remove_thing_from_billing_group(billingGroupName="north", thingName="meter")
    assert iot.list_things_in_billing_group(billingGroupName="north")["things"] == []
    iot.delete_billing_group(billingGroupName="north", expectedVersion=2)
    assert iot.list_billing_groups()["billingGroups"] == []
    assert iot.get_thing_connectivity_data(thingName="meter")["connected"] is False
    iot.delete_thing(thingName="meter")


def tags(iot: Any) -> None:
    """Whatever can be tagged comes with its tags, and takes them along."""
    given = [{"Key": "team", "Value": "night shift"}]
    function = iot.create_thing_group(thingGroupName="x", tags=given)["thingGroupArn"]
    function = function.replace(":iot:", ":lambda:").replace("thinggroup/x", "function:f")
    role = "arn:aws:iam::123456789012:role/r"
    iot.create_policy(policyName="x", policyDocument=POLICY, tags=given)
    iot.create_topic_rule(
        ruleName="x", topicRulePayload={"sql": "SELECT * FROM 'a'", "actions": []}, tags="team=night%20shift"
    )
    arns = [
        iot.describe_thing_group(thingGroupName="x")["thingGroupArn"],
        iot.create_thing_type(thingTypeName="x", tags=given)["thingTypeArn"],
        iot.create_billing_group(billingGroupName="x", tags=given)["billingGroupArn"],
        iot.get_policy(policyName="x")["policyArn"],
        iot.get_topic_rule(ruleName="x")["ruleArn"],
        iot.create_authorizer(
            authorizerName="x", authorizerFunctionArn=function, signingDisabled=True, tags=given, status="INACTIVE"
        )["authorizerArn"],
        iot.create_domain_configuration(domainConfigurationName="x", tags=given)["domainConfigurationArn"],
        iot.create_role_alias(roleAlias="x", roleArn=role, tags=given)["roleAliasArn"],
    ]
    for arn in arns:
        assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == given, arn
        iot.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "b"}])
        iot.untag_resource(resourceArn=arn, tagKeys=["team"])
        assert iot.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "a", "Value": "b"}], arn
    iot.delete_thing_group(thingGroupName="x")
    iot.delete_billing_group(billingGroupName="x")
    iot.delete_policy(policyName="x")
    iot.delete_topic_rule(ruleName="x")
    iot.delete_authorizer(authorizerName="x")
    iot.update_domain_configuration(domainConfigurationName="x", domainConfigurationStatus="DISABLED")
    iot.delete_domain_configuration(domainConfigurationName="x")
    iot.delete_role_alias(roleAlias="x")
    for arn in arns:
        if "thingtype" not in arn:
            with pytest.raises(iot.exceptions.ResourceNotFoundException):
                iot.list_tags_for_resource(resourceArn=arn)


def events(iot: Any) -> None:
    """Switched on and off."""
    before = iot.describe_event_configurations()["eventConfigurations"]
    iot.update_event_configurations(eventConfigurations={"THING": {"Enabled": True}})
    assert iot.describe_event_configurations()["eventConfigurations"] == {**before, "THING": {"Enabled": True}}
    iot.update_event_configurations(eventConfigurations={"THING": {"Enabled": False}})
