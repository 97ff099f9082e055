"""Each action of a device, allowed on its kind of resource and no other."""

import msgspec
import pytest

from fogbank.policy import PolicySet
from fogbank.policy.actions import RESOURCE_KIND
from fogbank.ports import PolicyDocument

ARN = "arn:aws:iot:us-east-1:123456789012:"
KINDS = {"client": "c", "topic": "a/b", "topicfilter": "$share/g/a/+", "thing": "t/shadow", "rolealias": "r"}


@pytest.mark.parametrize(("action", "kind"), RESOURCE_KIND.items())
def test_an_action_is_allowed_where_it_is_checked(action: str, kind: str) -> None:
    """Developer guide, iot-policy-actions and iot-action-resources."""
    resource = "*" if kind == "*" else f"{ARN}{kind}/*"
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    text = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
    policies = PolicySet.compile([PolicyDocument("p", text)]).bind({})
    for other, name in KINDS.items():
        assert policies.decide(action, f"{ARN}{other}/{name}").allowed is (kind in ("*", other))
    assert policies.decide(action, "*").allowed is (kind == "*")
