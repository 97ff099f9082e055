"""What one connection may do: policies bound to it, asked in the terms of MQTT.

Which action is checked when, and on what resource: AWS IoT developer guide, "AWS IoT Core policy actions".
"""

from fogbank.arns import Arns
from fogbank.policy import BoundPolicies, Decision, PolicySet, connect_context, connection_variables
from fogbank.ports import Grant, Identity


class Authorizer:
    """Answers for one connection and one grant; a new grant makes a new authorizer."""

    __slots__ = ("_client", "_filter", "_policies", "_topic", "grant", "properties")

    def __init__(
        self,
        arns: Arns,
        identity: Identity,
        grant: Grant,
        client_id: str,
        source_ip: str | None,
        domain_name: str | None = None,
    ) -> None:
        """`domain_name` is the server's as the client named it in TLS (SNI), for iot:DomainName."""
        variables = connection_variables(
            identity, client_id=client_id, thing=grant.thing, source_ip=source_ip, domain_name=domain_name
        )
        self._policies: BoundPolicies = PolicySet.compile(grant.policies).bind(variables)
        self._client = arns.iot("client", client_id)
        self._topic = arns.iot("topic", "")
        self._filter = arns.iot("topicfilter", "")
        self.grant = grant
        self.properties = () if grant.thing is None else grant.thing.properties
        """User properties that each message from the client bears, by its thing's type."""

    def connect(self, *, persistent: bool, will_topic: str | None) -> Decision:
        """`iot:Connect`, with the condition keys iot:ConnectAttributes and iot:LastWillTopic."""
        will = None if will_topic is None else self._topic + will_topic
        context = connect_context(persistent=persistent, will_topic=will)
        return self._policies.decide("iot:Connect", self._client, context)

    def publish(self, topic: str) -> Decision:
        return self._policies.decide("iot:Publish", self._topic + topic)

    def retain(self, topic: str) -> Decision:
        return self._policies.decide("iot:RetainPublish", self._topic + topic)

    def subscribe(self, filter_: str) -> Decision:
        return self._policies.decide("iot:Subscribe", self._filter + filter_)

    def receive(self, topic: str) -> Decision:
        return self._policies.decide("iot:Receive", self._topic + topic)
