"""The actions that IoT policies decide on, and on what kind of resource each is checked.

Source: developer guide, iot-policy-actions and iot-action-resources; the jobs data plane has its own prefix, and had
that of IoT in older documents.
"""

from collections.abc import Mapping

RESOURCE_KIND: Mapping[str, str] = {
    "iot:Connect": "client",
    "iot:Publish": "topic",
    "iot:RetainPublish": "topic",
    "iot:Subscribe": "topicfilter",
    "iot:Receive": "topic",
    "iot:GetRetainedMessage": "topic",
    "iot:ListRetainedMessages": "*",
    "iot:GetConnection": "client",
    "iot:DeleteConnection": "client",
    "iot:ListSubscriptions": "client",
    "iot:SendDirectMessage": "client",
    "iot:GetThingShadow": "thing",
    "iot:UpdateThingShadow": "thing",
    "iot:DeleteThingShadow": "thing",
    "iot:ListNamedShadowsForThing": "thing",
    "iot:AssumeRoleWithCertificate": "rolealias",
    **{
        f"{prefix}:{action}": "thing"
        for prefix in ("iotjobsdata", "iot")
        for action in (
            "DescribeJobExecution",
            "GetPendingJobExecutions",
            "StartNextPendingJobExecution",
            "UpdateJobExecution",
        )
    },
}
"""Action: kind of resource, `*` where it is checked on no resource in particular. ListNamedShadowsForThing is `*` in
one table of the guide and a thing in the example of its own page; a policy that allows `*` allows the thing too."""
