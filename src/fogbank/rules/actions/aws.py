"""What the actions that call a service of AWS have in common: one call for a firing, or one for many."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fogbank.ports import OutboundError
from fogbank.rules.actions.base import (
    ActionFailed,
    Context,
    Firing,
    Plan,
    Results,
    SingleAction,
    failure,
)
from fogbank.rules.templates import Template

_THROTTLED = ("Throttl", "Throughput", "Internal", "Unavailable", "LimitExceeded")
"""In the codes by which single items of a batch are refused: these may pass."""

_SPOILT = ("Valid", "nvalid", "BadRequest", "TooLong", "TooLarge", "Serialization")
"""In the codes by which a whole batch is refused: these may be one item's fault."""


class AwsCall(msgspec.Struct, frozen=True):
    """An operation of a service with its parameters, as botocore has them."""

    operation: str
    params: dict[str, Any]


class AwsAction(SingleAction):
    """Calls one operation for each firing."""

    service: str
    complaint: str
    """The first words of the error message: `Failed to put S3 object`."""

    def __init__(self, context: Context, target: str, role: str | None) -> None:
        """A service that cannot be called is no error here, so that templates deploy; each firing will fail."""
        super().__init__(target, role)
        self._context = context
        self._arns = context.arns
        self._aws = context.outside(self.kind).aws

    @property
    def obstacle(self) -> str | None:
        """Why every firing will fail, naming the setting that is missing; None: the service can be called."""
        return self._aws.obstacle(self.service)

    def template(self, field: str, text: str) -> Template:
        """A parameter as a template. Raises SqlParse."""
        return self._context.template(self.kind, field, text)

    def optional(self, field: str, text: str | None) -> Template | None:
        """A parameter that may be missing, as a template. Raises SqlParse."""
        return self._context.optional(self.kind, field, text)

    async def perform(self, plans: Sequence[Plan]) -> Results:
        return await asyncio.gather(*(self._perform(plan) for plan in plans))

    async def _perform(self, plan: Plan) -> ActionFailed | None:
        call: AwsCall = plan.request
        try:
            await self._aws.call(self.service, call.operation, call.params)
        except OutboundError as error:
            return failure(self.complaint, error, plan.resource)
        return None


class Items(msgspec.Struct, frozen=True):
    """What one firing adds to a batch."""

    group: str
    """Only items of one group go together: the queue, the stream, the table."""
    items: tuple[Any, ...]
    """Entries as the operation has them."""
    key: str | None = None
    """A batch holds one of each key; None: the same may come twice."""


class Refused(msgspec.Struct, frozen=True):
    """Why one item of a batch was not taken."""

    code: str
    message: str
    transient: bool = False

    @classmethod
    def of(cls, code: object, message: object) -> "Refused":
        """By what the service says of it."""
        named = str(code or "unknown")
        return cls(named, str(message or "no reason given"), any(word in named for word in _THROTTLED))


class AwsBatchAction(AwsAction):
    """Calls an operation that takes many items at once, for as many firings as wait."""

    batch_items: int
    """Items of one call at most."""
    batch_bytes: int
    """Of all items of one call at most."""

    def combine(self, group: str, items: list[Any]) -> AwsCall:
        """The call for these items of one group."""
        raise NotImplementedError

    def size(self, item: Any) -> int:
        """Bytes of an item as the service counts them."""
        raise NotImplementedError

    def refused(self, answer: Mapping[str, Any], items: list[Any]) -> Mapping[int, Refused]:
        """Which items the service did not take, by their index, and why."""
        raise NotImplementedError

    async def perform(self, plans: Sequence[Plan]) -> Results:
        results: list[ActionFailed | None] = [None] * len(plans)
        batches = list(self._batches(plans))
        failed = await asyncio.gather(*(self._send(group, [item for _, item in batch]) for group, batch in batches))
        for (_, batch), refusals in zip(batches, failed, strict=True):
            for index, refusal in refusals.items():
                plan = batch[index][0]
                results[plan] = self._failed(refusal, plans[plan].resource)
        return results

    async def _send(self, group: str, items: list[Any]) -> Mapping[int, Refused | OutboundError]:
        call = self.combine(group, items)
        try:
            answer = await self._aws.call(self.service, call.operation, call.params)
        except OutboundError as error:
            if len(items) > 1 and any(word in error.code for word in _SPOILT):
                return await self._send_alone(group, items)
            return dict.fromkeys(range(len(items)), error)
        return self.refused(answer, items)

    async def _send_alone(self, group: str, items: list[Any]) -> Mapping[int, Refused | OutboundError]:
        """Each by itself: one that is not valid must not take the others of its batch along."""
        answers = await asyncio.gather(*(self._send(group, [item]) for item in items))
        return {index: answer[0] for index, answer in enumerate(answers) if answer}

    def _batches(self, plans: Sequence[Plan]) -> Iterator[tuple[str, list[tuple[int, Any]]]]:
        """Groups and their items, each with the index of its plan, within the bounds of one call."""
        open_: dict[str, tuple[list[tuple[int, Any]], set[str], int]] = {}
        for index, plan in enumerate(plans):
            asked: Items = plan.request
            for item in asked.items:
                size = self.size(item)
                batch, keys, filled = open_.get(asked.group, ([], set(), 0))
                if len(batch) == self.batch_items or (batch and filled + size > self.batch_bytes) or asked.key in keys:
                    yield asked.group, batch
                    batch, keys, filled = [], set(), 0
                batch.append((index, item))
                if asked.key is not None:
                    keys.add(asked.key)
                open_[asked.group] = (batch, keys, filled + size)
        for group, (batch, _, _) in open_.items():
            yield group, batch

    def _failed(self, refusal: Refused | OutboundError, resource: str) -> ActionFailed:
        if isinstance(refusal, OutboundError):
            return failure(self.complaint, refusal, resource)
        return ActionFailed(
            f"{self.complaint}. The error received was {refusal.message} "
            f"(Service: {self.service}; Error Code: {refusal.code})",
            resource=resource,
            transient=refusal.transient,
        )


def text_of(firing: Firing, complaint: str, resource: str) -> str:
    """The result of SELECT as text. Raises ActionFailed where it is none, since the target takes no bytes."""
    try:
        return firing.output.decode()
    except UnicodeDecodeError as error:
        raise ActionFailed(f"{complaint}. The payload is not UTF-8 text", resource=resource) from error


def pieces_of(firing: Firing, complaint: str, resource: str) -> list[bytes]:
    """The elements of the array that SELECT gave, for actions in batch mode. Raises ActionFailed where it is none."""
    try:
        return [bytes(raw) for raw in msgspec.json.decode(firing.output, type=list[msgspec.Raw])]
    except msgspec.DecodeError as error:
        raise ActionFailed(f"{complaint}. In batch mode the payload must be a JSON array", resource=resource) from error
