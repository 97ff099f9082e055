"""A rule tried out on a message, and nothing done: would it fire, why or why not, and what would each action do.

What statements and templates read of the world is read, with the roles of the rule. What changes it is not touched: no
action is performed, and no function is invoked; what `aws_lambda` answers must be said beforehand, as all other answers
may be.
"""

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from fogbank import topics
from fogbank.arns import Arns
from fogbank.clock import Clock, milliseconds
from fogbank.errors import FogbankError, InvalidRequest
from fogbank.message import Message, Origin
from fogbank.ports import InvocationType, Invoker, ServiceCaller
from fogbank.rules.actions.aws import AwsAction
from fogbank.rules.actions.base import Action, Firing, Plan
from fogbank.rules.actions.lambda_ import LambdaAction
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.outside import Unanswered
from fogbank.sql import Answers, Event, MqttProperties, Outside


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The message to try a rule on."""

    topic: str
    payload: str = ""
    payload_base64: str | None = None
    """In place of `payload`, for bytes that are not text."""
    client_id: str | None = None
    principal: str = ""
    source_ip: str | None = None
    mqtt: MqttProperties = MqttProperties()
    outside: dict[str, msgspec.Raw] = {}
    """What services answer, by the function that asks: the body in JSON, that of S3 (`decode`) in base64."""

    def message(self) -> Message:
        """As if it had been published. Raises InvalidRequest."""
        return Message(self.topic, self._payload(), origin=Origin(self.principal, self.client_id, self.source_ip))

    def _payload(self) -> bytes:
        if self.payload_base64 is None:
            return self.payload.encode()
        try:
            return base64.b64decode(self.payload_base64, validate=True)
        except ValueError as error:
            raise InvalidRequest(f"payloadBase64 is not base64: {error}") from error


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """One action's part in it."""

    action: str
    """`sqs`"""
    target: str
    """As the rule has it, templates not filled in."""
    resource: str | None = None
    """What it would act on for this message."""
    request: Any = None
    """What it would do, in terms of the action."""
    role: str | None = None
    needs: str | None = None
    """The right that its role must have."""
    problem: str | None = None
    """Why it would fail."""


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """How it went."""

    rule: str
    enabled: bool
    topic_filter: str | None
    matches: bool
    """Whether FROM matches the topic, or it is Basic Ingest to this rule."""
    fires: bool
    why: str
    """Which clause was true, or was not with what on each side; or why the statement could not be evaluated."""
    failed: bool = False
    """Whether the statement could not be evaluated to its end."""
    output: Any = None
    """The result of SELECT: JSON as it is, other text as a string, other bytes as `{"base64": ...}`."""
    actions: tuple[Part, ...] = ()


class Rehearsal:
    """Tries rules out."""

    def __init__(self, invoker: Invoker, arns: Arns, clock: Clock) -> None:
        self._invoker = invoker
        self._arns = arns
        self._clock = clock

    async def run(self, compiled: CompiledRule, trial: Trial) -> Report:
        """Try a rule out. Raises InvalidRequest for a trial that is none."""
        message = trial.message()
        event = Event(
            topic=trial.topic,
            payload=message.payload,
            client_id=trial.client_id,
            principal=trial.principal,
            timestamp_ms=milliseconds(self._clock),
            account_id=self._arns.account,
            source_ip=trial.source_ip,
            mqtt=trial.mqtt,
        )
        query, rule = compiled.query, compiled.rule
        report = Report(rule.name, not rule.payload.rule_disabled, rule.topic_filter, matches=True, fires=False, why="")
        missed = _missed(compiled, event)
        if missed is not None:
            return msgspec.structs.replace(report, matches=False, why=missed)
        answers = Answers(_Rehearsed(compiled.outside, _bodies(trial.outside)), query.version)
        outcome = await query.evaluate_asking(event, answers) if query.asks else query.evaluate(event)
        why = outcome.failure or query.explain(event, answers).sentence
        if not outcome.fires:
            return msgspec.structs.replace(report, failed=outcome.failure is not None, why=why)
        output = outcome.output or b""
        firing = Firing(message, event, output, answers if compiled.asks else None)
        return msgspec.structs.replace(
            report,
            fires=True,
            why=why,
            output=_content(output),
            actions=tuple([await self._part(action, firing, compiled) for action in compiled.actions]),
        )

    async def _part(self, action: Action, firing: Firing, compiled: CompiledRule) -> Part:
        part = Part(action.kind, action.target, role=action.role)
        try:
            plan = await _plan(action, firing)
        except FogbankError as error:
            return msgspec.structs.replace(part, problem=str(error))
        need = plan.need
        return msgspec.structs.replace(
            part,
            resource=plan.resource,
            request=shown(plan.request),
            needs=None if need is None else f"{need.action} on {need.resource}",
            problem=await self._problem(action, plan, compiled),
        )

    async def _problem(self, action: Action, plan: Plan, compiled: CompiledRule) -> str | None:
        """What stands in the way of a plan, as far as that can be told without doing it."""
        if isinstance(action, AwsAction) and action.obstacle is not None:
            return action.obstacle
        try:
            if compiled.rights is not None and plan.need is not None and action.role is not None:
                await compiled.rights.check(action.role, plan.need.action, plan.need.resource, source=compiled.arn)
            if isinstance(action, LambdaAction):
                caller = ServiceCaller("iot.amazonaws.com", compiled.arn, self._arns.account)
                await self._invoker.invoke(plan.resource, b"", type_=InvocationType.DRY_RUN, caller=caller)
        except FogbankError as error:
            return str(error)
        return None


class _Rehearsed:
    """Port `sql.Outside`: answers that were said beforehand, by function; else those of the world that cost nothing."""

    def __init__(self, outside: Outside | None, bodies: Mapping[str, bytes]) -> None:
        self._outside = outside
        self._bodies = bodies

    async def invoke(self, function_arn: str, payload: bytes) -> bytes:
        if (body := self._bodies.get("aws_lambda")) is not None:
            return body
        raise Unanswered(f"a dry run invokes no function; say what {function_arn} answers to {shown(payload)}")

    async def thing_shadow(self, thing: str, shadow: str | None, role_arn: str) -> bytes:
        return self._bodies.get("get_thing_shadow") or await self._real.thing_shadow(thing, shadow, role_arn)

    async def registry_data(self, operation: str, thing: str, role_arn: str) -> bytes:
        return self._bodies.get("get_registry_data") or await self._real.registry_data(operation, thing, role_arn)

    async def item(self, table: str, key: Mapping[str, Mapping[str, str]], role_arn: str) -> bytes:
        return self._bodies.get("get_dynamodb") or await self._real.item(table, key, role_arn)

    async def secret(self, secret_id: str, role_arn: str) -> bytes:
        return self._bodies.get("get_secret") or await self._real.secret(secret_id, role_arn)

    async def predict(self, model_id: str, record: Mapping[str, str], role_arn: str) -> bytes:
        return self._bodies.get("machinelearning_predict") or await self._real.predict(model_id, record, role_arn)

    async def object(self, bucket: str, key: str) -> bytes:
        body = self._bodies.get("decode")
        return await self._real.object(bucket, key) if body is None else _decoded(body)

    @property
    def _real(self) -> Outside:
        if self._outside is None:
            raise Unanswered("there is nobody to ask here")
        return self._outside


def shown(value: Any) -> Any:
    """A request of an action as plain JSON: members that say nothing left out, bytes as what they hold."""
    if isinstance(value, bytes):
        return _content(value)
    if isinstance(value, msgspec.Struct):
        defaults = dict(zip(reversed(value.__struct_fields__), reversed(value.__struct_defaults__), strict=False))
        members = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: shown(member) for name, member in members if member is not None and member != defaults.get(name)}
    if isinstance(value, Mapping):
        return {str(name): shown(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value


def _missed(compiled: CompiledRule, event: Event) -> str | None:
    """Why a message on this topic does not reach the rule; None: it does."""
    name, filter_ = compiled.rule.name, compiled.rule.topic_filter
    if event.basic_ingest:
        meant = event.topic.split("/")[2]
        return None if meant == name else f"Basic Ingest to the rule {meant!r} reaches no other"
    if filter_ is None:
        return f"the statement has no FROM: messages reach it by Basic Ingest alone, at $aws/rules/{name}/..."
    return None if topics.matches(filter_, event.topic) else f"FROM '{filter_}' does not match the topic {event.topic}"


async def _plan(action: Action, firing: Firing) -> Plan:
    if firing.answers is None:
        return action.plan(firing)
    return await firing.answers.complete(lambda known: action.plan(msgspec.structs.replace(firing, known=known)))


def _content(payload: bytes) -> Any:
    """JSON as it is, other text as a string, other bytes in base64."""
    try:
        msgspec.json.decode(payload)  # all of it: a Raw is taken on trust
        return msgspec.Raw(b" ".join(payload.splitlines()))
    except msgspec.DecodeError:
        pass
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(payload).decode()}


def _bodies(answers: Mapping[str, msgspec.Raw]) -> dict[str, bytes]:
    return {name.lower(): bytes(answer) for name, answer in answers.items()}


def _decoded(body: bytes) -> bytes:
    try:
        return base64.b64decode(msgspec.json.decode(body, type=str), validate=True)
    except ValueError as error:
        raise Unanswered(f"what decode was said to get is not base64: {error}") from error
