"""IoT's operations on topic rule destinations, the URLs that rules may post to."""

from fogbank.awswire.http import Response
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.pages import Audience, Page, Visit, json_response
from fogbank.rules.destinations import MAX_RESULTS, Destination, Destinations

CONFIRM_PATH = "/confirmdestination/"
"""Where `ConfirmTopicRuleDestination` is. Whoever was sent a token takes it there, and needs no signature: that the
token came back is the proof."""


class IotRuleDestinationsApi:
    """CreateTopicRuleDestination to DeleteTopicRuleDestination of botocore's `iot` model."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations

    @operation("iot", "CreateTopicRuleDestination")
    async def create_topic_rule_destination(self, call: Call) -> Members:
        made = await self._destinations.create(call.params["destinationConfiguration"])
        return {"topicRuleDestination": _described(made)}

    @operation("iot", "ConfirmTopicRuleDestination")
    async def confirm_topic_rule_destination(self, call: Call) -> Members:
        await self._destinations.confirm(call.params["confirmationToken"])
        return {}

    @operation("iot", "GetTopicRuleDestination")
    async def get_topic_rule_destination(self, call: Call) -> Members:
        return {"topicRuleDestination": _described(self._destinations.get(call.params["arn"]))}

    @operation("iot", "ListTopicRuleDestinations")
    async def list_topic_rule_destinations(self, call: Call) -> Members:
        page = self._destinations.list(
            limit=call.params.get("maxResults", MAX_RESULTS), token=call.params.get("nextToken")
        )
        summaries = [
            {**_common(one), "httpUrlSummary": _http(one), "vpcDestinationSummary": _vpc(one)}
            for one in page.destinations
        ]
        return {"destinationSummaries": summaries, "nextToken": page.next_token}

    @operation("iot", "UpdateTopicRuleDestination")
    async def update_topic_rule_destination(self, call: Call) -> Members:
        await self._destinations.update(call.params["arn"], call.params["status"])
        return {}

    @operation("iot", "DeleteTopicRuleDestination")
    async def delete_topic_rule_destination(self, call: Call) -> Members:
        await self._destinations.delete(call.params["arn"])
        return {}

    @property
    def confirmation_page(self) -> Page:
        """Where whoever was sent a token brings it back; raises Unauthorized for another."""
        return Page(method="GET", path=f"{CONFIRM_PATH}{{token}}", audience=Audience.ANYONE, answer=self._confirm)

    async def _confirm(self, visit: Visit) -> Response:
        await self._destinations.confirm(visit.names["token"])
        return json_response({})


def _described(destination: Destination) -> Members:
    return {**_common(destination), "httpUrlProperties": _http(destination), "vpcProperties": _vpc(destination)}


def _common(destination: Destination) -> Members:
    return {
        "arn": destination.arn,
        "status": destination.status.value,
        "statusReason": destination.status_reason or None,
        "createdAt": destination.created_at,
        "lastUpdatedAt": destination.updated_at,
    }


def _http(destination: Destination) -> Members | None:
    url = destination.confirmation_url
    return None if url is None else {"confirmationUrl": url}


def _vpc(destination: Destination) -> Members | None:
    vpc = destination.vpc
    if vpc is None:
        return None
    return {
        "subnetIds": list(vpc.subnet_ids),
        "securityGroups": list(vpc.security_groups),
        "vpcId": vpc.vpc_id,
        "roleArn": vpc.role_arn,
    }
