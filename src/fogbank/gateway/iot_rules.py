"""IoT's operations on topic rules, from the wire to the rules service and back."""

from collections.abc import Awaitable, Callable, Iterable

from fogbank.gateway.call import Call, Caller, Members, operation
from fogbank.registry.tags import checked_tags, header_tags
from fogbank.rules.definition import Rule
from fogbank.rules.service import MAX_RESULTS, TopicRules

PassRoles = Callable[[Caller, Iterable[str], str], Awaitable[None]]


async def _anybody(caller: Caller, roles: Iterable[str], service: str) -> None:
    """Where there is nobody but the root."""


class IotRulesApi:
    """CreateTopicRule to DisableTopicRule of botocore's `iot` model."""

    def __init__(self, rules: TopicRules, pass_roles: PassRoles = _anybody) -> None:
        """`pass_roles` raises AccessDenied where a caller may not pass roles to a service: those that a statement or a
        template names, which the members of a request do not show."""
        self._rules = rules
        self._pass_roles = pass_roles

    @operation("iot", "CreateTopicRule")
    async def create_topic_rule(self, call: Call) -> Members:
        name, payload = call.params["ruleName"], call.params["topicRulePayload"]
        tags = checked_tags(header_tags(call.params.get("tags")))
        await self._rules.create(name, payload, self._passing(call), tags=tags)
        return {}

    @operation("iot", "GetTopicRule")
    async def get_topic_rule(self, call: Call) -> Members:
        rule = await self._rules.get(call.params["ruleName"])
        payload = rule.payload
        return {
            "ruleArn": self._rules.arn(rule.name),
            "rule": {
                "ruleName": rule.name,
                "sql": payload.sql,
                "description": payload.description,
                "createdAt": rule.created_at,
                "actions": list(payload.actions),
                "ruleDisabled": payload.rule_disabled,
                "awsIotSqlVersion": payload.aws_iot_sql_version,
                "errorAction": payload.error_action,
            },
        }

    @operation("iot", "ListTopicRules")
    async def list_topic_rules(self, call: Call) -> Members:
        page = await self._rules.list(
            topic=call.params.get("topic"),
            disabled=call.params.get("ruleDisabled"),
            limit=call.params.get("maxResults", MAX_RESULTS),
            token=call.params.get("nextToken"),
        )
        return {"rules": [self._summary(rule) for rule in page.rules], "nextToken": page.next_token}

    @operation("iot", "ReplaceTopicRule")
    async def replace_topic_rule(self, call: Call) -> Members:
        await self._rules.replace(call.params["ruleName"], call.params["topicRulePayload"], self._passing(call))
        return {}

    @operation("iot", "DeleteTopicRule")
    async def delete_topic_rule(self, call: Call) -> Members:
        await self._rules.delete(call.params["ruleName"])
        return {}

    @operation("iot", "EnableTopicRule")
    async def enable_topic_rule(self, call: Call) -> Members:
        await self._rules.enable(call.params["ruleName"])
        return {}

    @operation("iot", "DisableTopicRule")
    async def disable_topic_rule(self, call: Call) -> Members:
        await self._rules.disable(call.params["ruleName"])
        return {}

    def _passing(self, call: Call) -> Callable[[Iterable[str]], Awaitable[None]]:
        return lambda roles: self._pass_roles(call.caller, roles, "iot.amazonaws.com")

    def _summary(self, rule: Rule) -> Members:
        return {
            "ruleArn": self._rules.arn(rule.name),
            "ruleName": rule.name,
            "topicPattern": rule.topic_filter,
            "createdAt": rule.created_at,
            "ruleDisabled": rule.payload.rule_disabled,
        }
