"""The rules of the account as the API sees them: create, get, list, replace, enable, disable, delete.

A change is compiled, committed, and only then switched over in the engine; the call returns when all of that is done.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError, InvalidRequest, ResourceAlreadyExists
from fogbank.ports import Delete, Documents, Put, ResourceTags, StaleVersion, StorageError
from fogbank.rules.compiled import CompiledRule
from fogbank.rules.definition import Members, Rule, RulePayload, check_name, read_payload, rules_of
from fogbank.rules.destinations import Destinations
from fogbank.rules.engine import RuleEngine
from fogbank.rules.errors import ConflictingResourceUpdate, unknown_rule
from fogbank.storage.collection import Stored
from fogbank.tasks import Tasks
from fogbank.topics import matches

MAX_RULES = 1000
"""Per account (AWS IoT quotas, rules engine); adjustable there, and here by the constructor."""

MAX_RESULTS = 10_000
"""The largest page of ListTopicRules that the model allows, and the one given where none is asked for."""


MayPass = Callable[[Iterable[str]], Awaitable[None]]
"""Raises where whoever makes a rule may not give it these roles (`iam:PassRole`)."""


class RulePage(msgspec.Struct, frozen=True):
    """Some rules in the order of their names, and the token of the next page if there is more."""

    rules: list[Rule]
    next_token: str | None = None


class TopicRules:
    """Owns the stored definitions and keeps the engine in step with them."""

    def __init__(
        self,
        documents: Documents,
        engine: RuleEngine,
        arns: Arns,
        clock: Clock,
        *,
        tags: ResourceTags,
        destinations: Destinations | None = None,
        max_rules: int | None = MAX_RULES,
    ) -> None:
        """Without `destinations` there must be no rules with the action `http`."""
        self._documents = documents
        self._stored = rules_of(documents)
        self._engine = engine
        self._destinations = destinations
        self._arns = arns
        self._clock = clock
        self._max_rules = max_rules
        self._tags = tags
        tags.register("rule", self._stored.presence)
        self._changing: set[str] = set()
        self._tasks = Tasks("rule-changes")

    def arn(self, name: str) -> str:
        return self._arns.iot("rule", name)

    async def close(self) -> None:
        """Wait for changes under way; they are short, and half a change would be worse than a late one."""
        await self._tasks.drain()

    async def get(self, name: str) -> Rule:
        return (await self._find(name)).value

    async def list(
        self,
        *,
        topic: str | None = None,
        disabled: bool | None = None,
        limit: int = MAX_RESULTS,
        token: str | None = None,
    ) -> RulePage:
        """Rules by name: those that `topic` would reach (or whose filter it is), and those that are `disabled` or not.

        That `topic` means the topic of a message is UNVERIFIED; the API reference says "The topic." and no more.
        """
        after = "" if token is None else _read_token(token)
        found = [
            stored.value
            for stored in await self._stored.scan(after=after)
            if (topic is None or _is_about(stored.value, topic))
            and (disabled is None or disabled == stored.value.payload.rule_disabled)
        ]
        if len(found) <= limit:
            return RulePage(found)
        return RulePage(found[:limit], _write_token(found[limit - 1].name))

    async def create(
        self,
        name: str,
        payload: Members,
        may_pass: MayPass | None = None,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> Rule:
        """Raises ResourceAlreadyExists, SqlParse, InvalidRequest, and what `may_pass` raises for the rule's roles."""
        compiled = await self._compile(check_name(name), read_payload(payload), self._clock.time())
        if may_pass is not None:
            await may_pass(compiled.roles)
        if await self._stored.get(name) is not None:
            raise ResourceAlreadyExists(f"the rule {name} exists already", resourceId=name, resourceArn=self.arn(name))
        if self._max_rules is not None and len(await self._stored.scan(limit=self._max_rules)) >= self._max_rules:
            raise InvalidRequest(f"the account has {self._max_rules} rules, which is its quota; delete one first")
        await self._ensure_destinations(compiled)
        puts = self._stored.putting(name, compiled.rule, expect=0), self._tags.putting(self.arn(name), tags or {})
        await self._change(name, puts, lambda: self._engine.install(compiled))
        return compiled.rule

    async def replace(self, name: str, payload: Members, may_pass: MayPass | None = None) -> Rule:
        """Set the whole payload anew; the creation date stays. Raises as `create`, and for an unknown rule."""
        given = read_payload(payload)
        stored = await self._find(name)
        return await self._put(stored, msgspec.structs.replace(stored.value, payload=given), may_pass)

    async def compiled(self, name: str) -> CompiledRule:
        """A rule ready to run beside the one that does, disabled or not. Raises as `get`."""
        rule = await self.get(name)
        return await self._compile(name, rule.payload, rule.created_at)

    async def enable(self, name: str) -> Rule:
        return await self._set_disabled(name, False)

    async def disable(self, name: str) -> Rule:
        return await self._set_disabled(name, True)

    async def delete(self, name: str) -> None:
        stored = await self._find(name)
        deletes = self._stored.deleting(name, expect=stored.version), self._tags.deleting(self.arn(name))
        await self._change(name, deletes, lambda: self._engine.remove(name))

    async def _set_disabled(self, name: str, disabled: bool) -> Rule:
        stored = await self._find(name)
        payload = msgspec.structs.replace(stored.value.payload, rule_disabled=disabled)
        return await self._put(stored, msgspec.structs.replace(stored.value, payload=payload))

    async def _find(self, name: str) -> Stored[Rule]:
        stored = await self._stored.get(check_name(name))
        if stored is None:
            raise unknown_rule(name)
        return stored

    async def _compile(self, name: str, payload: RulePayload, created_at: float) -> CompiledRule:
        """On a thread: the longest statements take a second, and devices are not to wait for them."""
        return await asyncio.to_thread(self._engine.compile, name, payload, created_at)

    async def _put(self, before: Stored[Rule], rule: Rule, may_pass: MayPass | None = None) -> Rule:
        compiled = await self._compile(rule.name, rule.payload, rule.created_at)
        if may_pass is not None:
            await may_pass(compiled.roles)
        await self._ensure_destinations(compiled)
        put = self._stored.putting(rule.name, compiled.rule, expect=before.version)
        await self._change(rule.name, (put,), lambda: self._engine.install(compiled))
        return compiled.rule

    async def _ensure_destinations(self, compiled: CompiledRule) -> None:
        """Before the commit: one too many is no harm, a rule without its destination would never get anything out."""
        if self._destinations is not None:
            error = compiled.error_action
            await self._destinations.ensure((*compiled.actions, *(() if error is None else (error,))))

    async def _change(self, name: str, changes: Sequence[Put | Delete], switch: Callable[[], None]) -> None:
        """Commit a change and switch the engine over, one change of a rule at a time.

        In a task of its own: a caller who hangs up must not part what is stored from what runs.
        """
        if name in self._changing:
            raise ConflictingResourceUpdate(f"another change of the rule {name} is under way; try again")
        self._changing.add(name)
        error = await asyncio.shield(self._tasks.start(self._commit(name, changes, switch), name))
        if error is not None:
            raise error

    async def _commit(
        self, name: str, changes: Sequence[Put | Delete], switch: Callable[[], None]
    ) -> FogbankError | None:
        try:
            await self._documents.commit(*changes)
            switch()
        except StaleVersion:
            return ConflictingResourceUpdate(f"the rule {name} was changed at the same time; try again")
        except StorageError as error:
            await self._reload(name)
            return error
        finally:
            self._changing.discard(name)
        return None

    async def _reload(self, name: str) -> None:
        """Run what is stored: a write that was not acknowledged may have reached the disk all the same."""
        stored = await self._stored.get(name)
        if stored is None:
            self._engine.remove(name)
        else:
            rule = stored.value
            self._engine.install(self._engine.compile(rule.name, rule.payload, rule.created_at))


def _is_about(rule: Rule, topic: str) -> bool:
    filter_ = rule.topic_filter
    return filter_ is not None and (topic == filter_ or matches(filter_, topic))


def _write_token(name: str) -> str:
    return urlsafe_b64encode(name.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return check_name(urlsafe_b64decode(token).decode())
    except (ValueError, InvalidRequest) as error:
        raise InvalidRequest("nextToken is not one that ListTopicRules has given out") from error
