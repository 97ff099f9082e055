"""The rules engine: which rules run, each a subscriber of its own at the topic filter behind its FROM.

Rules live in the same trie as the clients' subscriptions and cost nothing where they do not match. What is published
straight to a rule reaches it through `ingest`, by its name. The engine is a
cache of the stored definitions: `start` fills it, and whoever changes a definition switches it over after the commit.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import FogbankError, InvalidRequest
from fogbank.ports import Documents, Invoker, Publisher, Spool, Subscriptions
from fogbank.rules.actions.base import Outside
from fogbank.rules.compiled import CompiledRule, compile_rule
from fogbank.rules.counters import Counters
from fogbank.rules.definition import RulePayload, rules_of
from fogbank.rules.executor import Executor
from fogbank.rules.faults import Faults
from fogbank.rules.ingest import BasicIngest
from fogbank.rules.outside import Answering
from fogbank.rules.recovery import Recovery
from fogbank.rules.subscriber import Events, RuleSubscriber
from fogbank.tasks import Tasks
from fogbank.trace import Trace

log = logging.getLogger(__name__)


class RuleEngine:
    """Runs the rules of the account."""

    def __init__(
        self,
        documents: Documents,
        subscriptions: Subscriptions,
        publisher: Publisher,
        invoker: Invoker,
        arns: Arns,
        clock: Clock,
        trace: Trace,
        *,
        outside: Outside | None = None,
        answering: Answering | None = None,
        spool: Spool | None = None,
    ) -> None:
        """Without `outside`, actions that reach beyond the platform are refused; without `answering`, functions that
        ask anybody. Without a `spool`, actions under way end with the process."""
        self._stored = rules_of(documents)
        self._subscriptions = subscriptions
        self._publisher = publisher
        self._invoker = invoker
        self._outside = outside
        self._answering = answering
        self._arns = arns
        self._clock = clock
        self._trace = trace
        self._events = Events(arns.account, clock)
        self._tasks = Tasks("rules")
        self._spool = spool
        self._recovery = None if spool is None else Recovery(spool, clock)
        self._running: dict[str, RuleSubscriber] = {}
        self._counters: dict[str, Counters] = {}
        self.ingest = BasicIngest(self._running, trace)
        """What topics below `ingest.PREFIX` are to be reserved for."""

    @property
    def counters(self) -> Mapping[str, Counters]:
        """What each rule has done since the start, by its name."""
        return MappingProxyType(self._counters)

    async def start(self) -> None:
        """Run all stored rules that are enabled. One that can no longer be compiled is logged and left out."""
        found = await self._stored.scan()
        if self._recovery is not None:
            self._recovery.load({stored.value.name for stored in found})
        for stored in found:
            rule = stored.value
            try:
                self.install(self.compile(rule.name, rule.payload, rule.created_at))
            except FogbankError as error:
                log.error("rule %s does not run: %s", rule.name, error)

    def resume(self) -> None:
        """Do what rules owe since before the start; to be called when all is up that actions may want to reach."""
        if self._recovery is not None:
            self._recovery.begin()

    async def drain(self) -> None:
        """Wait until the actions of all messages taken so far are done or given up."""
        await self._tasks.drain()

    async def close(self) -> None:
        """Take no further message and cancel the actions that still run; `drain` before it lets them end."""
        for name in list(self._running):
            self._stop(name)
        if self._recovery is not None:
            await self._recovery.close()
        await self._tasks.close()
        if self._spool is not None:
            await self._spool.settled()

    def compile(self, name: str, payload: RulePayload, created_at: float) -> CompiledRule:
        """Make a definition ready to run. Raises SqlParse and InvalidRequest for what is wrong or not supported."""
        compiled = compile_rule(
            name,
            payload,
            created_at,
            arns=self._arns,
            publisher=self._publisher,
            invoker=self._invoker,
            outside=self._outside,
            answering=self._answering,
        )
        if compiled.asks and compiled.outside is None:
            raise InvalidRequest(
                f"{', '.join(sorted(compiled.asks))}: this platform was started without anybody to ask"
            )
        return compiled

    def install(self, compiled: CompiledRule) -> None:
        """Run this definition from the next message on, in place of the one before; disabled, it stands by.

        Messages that fired under the definition before are worked off under it.
        """
        rule = compiled.rule
        self._stop(rule.name)
        counters = self._counters.setdefault(rule.name, Counters())
        self._warn(compiled)
        if rule.payload.rule_disabled:
            if self._recovery is not None:
                self._recovery.stands_by(rule.name)
            return
        faults = Faults(log, rule.name, self._clock)
        executor = Executor(compiled, counters, self._tasks, faults, self._clock, self._trace, self._spool)
        subscriber = RuleSubscriber(
            compiled, self._events, executor, faults, self._trace, outside=compiled.outside, tasks=self._tasks
        )
        self._running[rule.name] = subscriber
        if rule.topic_filter is not None:
            self._subscriptions.subscribe(rule.topic_filter, subscriber)
        if self._recovery is not None:
            self._recovery.runs(rule.name, subscriber)

    def remove(self, name: str) -> None:
        """Run this rule no longer, and forget what it did."""
        self._stop(name)
        self._counters.pop(name, None)
        if self._recovery is not None:
            self._recovery.gone(name)

    def _warn(self, compiled: CompiledRule) -> None:
        """Tell which settings are missing for what the rule does: it is no error, so that templates deploy."""
        for obstacle in compiled.obstacles:
            log.warning("rule %s: %s", compiled.rule.name, obstacle)
            if self._trace.active:
                self._trace.emit("rule", "failure", name=compiled.rule.name, reason=obstacle)

    def _stop(self, name: str) -> None:
        subscriber = self._running.pop(name, None)
        if subscriber is not None and subscriber.rule.topic_filter is not None:
            self._subscriptions.unsubscribe(subscriber.rule.topic_filter, subscriber)
