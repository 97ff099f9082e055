"""Policy evaluation: an explicit deny wins, then any allow, else denied.

A connection asks one question again and again with the same identity, so the work is split by how often it changes:
`PolicySet` is compiled once per set of documents, `bind` fills in what is fixed for a connection, and
`BoundPolicies.decide` does only what depends on the request. Statements are bound when an action first needs them:
a fleet of clients which only publish never compiles what their policies say of jobs.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial

from fogbank.policy import explain
from fogbank.policy.decision import Decision, StatementRef
from fogbank.policy.document import Document, Effect, MalformedPolicy, Statement, parse_document
from fogbank.policy.variables import Template, Values, Variables, fold
from fogbank.policy.wildcards import Matcher, matcher
from fogbank.ports import PolicyDocument

__all__ = ["BoundPolicies", "Decision", "PolicySet", "StatementRef"]


class PolicySet:
    """The statements of all policies that apply to a principal. Immutable; one may serve any number of connections."""

    __slots__ = ("_limits", "_policies", "_refs")

    def __init__(self, policies: Sequence[tuple[str, Document]], limits: Sequence["PolicySet"] = ()) -> None:
        """Each of `limits` must allow a request as well."""
        self._limits = tuple(limits)
        self._policies = tuple(name for name, _ in policies)
        self._refs = tuple(
            (StatementRef(name, statement.number, statement.sid), statement)
            for name, document in policies
            for statement in document.statements
        )

    @staticmethod
    def compile(documents: Iterable[PolicyDocument]) -> "PolicySet":
        """The set of these policies. A text, and a set, met before is not parsed again. Raises MalformedPolicy."""
        return _compiled(tuple(documents))

    def bind(self, variables: Values) -> "BoundPolicies":
        """Fill in what is fixed for one connection; `variables.connection_variables` makes the usual mapping."""
        return BoundPolicies(self, Variables(variables), tuple(limit.bind(variables) for limit in self._limits))

    @property
    def names(self) -> tuple[str, ...]:
        return self._policies

    def statements(self, action: str | None = None) -> list[tuple[StatementRef, Statement]]:
        """The statements about an action, or all of them, in the order of the documents."""
        if action is None:
            return [*self._refs]
        folded = action.lower()
        return [(ref, statement) for ref, statement in self._refs if statement.actions.match(folded)]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Document:
    return parse_document(text)


@lru_cache(maxsize=1024)
def _compiled(documents: tuple[PolicyDocument, ...]) -> PolicySet:
    by_limit: dict[str | None, list[tuple[str, Document]]] = {None: []}
    for one in documents:
        try:
            by_limit.setdefault(one.limit, []).append((one.name, _parsed(one.document)))
        except MalformedPolicy as error:
            raise MalformedPolicy(error.what, f"policy {one.name!r}, {error.where}".rstrip(", ")) from None
    giving = by_limit.pop(None)
    return PolicySet(giving, [PolicySet(limiting) for limiting in by_limit.values()])


class _BoundStatement:
    """A statement with the variables of a connection filled in as far as they are known."""

    __slots__ = ("_late", "_matchers", "ref", "statement")

    def __init__(self, ref: StatementRef, statement: Statement, variables: Variables) -> None:
        self.ref = ref
        self.statement = statement
        self._matchers: list[Matcher] = []
        self._late: list[Template] = []
        for template in statement.resources:
            tokens = template.fill(variables)
            if tokens is None:
                self._late.append(template)
            else:
                self._matchers.append(matcher(tokens))

    def covers(self, resource: str, variables: Variables) -> bool:
        """Whether the statement is about this request. Whatever holds a variable without a value is about none."""
        matchers = self._matchers
        if self._late:
            filled = [tokens for template in self._late if (tokens := template.fill(variables)) is not None]
            if self.statement.not_resource and len(filled) < len(self._late):
                return False
            matchers = matchers + [matcher(tokens) for tokens in filled]
        found = any(matches(resource) for matches in matchers)
        return found is not self.statement.not_resource and all(
            condition.holds(variables) for condition in self.statement.conditions
        )


class BoundPolicies:
    """The policies of one connection, ready to decide."""

    __slots__ = ("_by_action", "_limits", "_policies", "_variables")

    def __init__(self, policies: PolicySet, variables: Variables, limits: "tuple[BoundPolicies, ...]" = ()) -> None:
        self._limits = limits
        self._policies = policies
        self._variables = variables
        self._by_action: dict[str, tuple[_BoundStatement, ...]] = {}

    def decide(self, action: str, resource: str, context: Values | None = None) -> Decision:
        """Decide on `action` (`iot:Publish`) on the ARN `resource`; `context` has the condition keys of the request."""
        variables = self._known(context)
        for limit in self._limits:
            decision = limit.decide(action, resource, context)
            if not decision.allowed:
                return decision
        for one in self._statements(action):
            if one.covers(resource, variables):
                reason = partial(explain.decided, one.ref, one.statement, action, resource, variables)
                return Decision(one.statement.effect is Effect.ALLOW, reason, one.ref)
        return Decision(False, partial(explain.missing, self._policies, action, resource, variables))

    def verdicts(self, action: str, resource: str, context: Values | None = None) -> dict[str, Effect | None]:
        """What each policy says of a request when it is asked alone; None where no statement of it is about that."""
        variables = self._known(context)
        found: dict[str, Effect | None] = dict.fromkeys(self._policies.names)
        for one in self._statements(action):
            if found[one.ref.policy] is None and one.covers(resource, variables):
                found[one.ref.policy] = one.statement.effect
        return found

    def absent(self, action: str, context: Values | None = None) -> list[str]:
        """The variables and condition keys that statements about an action look at and that have no value."""
        variables = self._known(context)
        names = {fold(name): name for _, one in self._policies.statements(action) for name in one.references}
        return [name for key, name in names.items() if variables.all(key) is None]

    def _known(self, context: Values | None) -> Variables:
        return self._variables.extended(context) if context else self._variables

    def _statements(self, action: str) -> tuple[_BoundStatement, ...]:
        """Statements about the action, denials first: the first to cover a request decides."""
        bound = self._by_action.get(action)
        if bound is None:
            statements = [_BoundStatement(ref, one, self._variables) for ref, one in self._policies.statements(action)]
            bound = tuple(sorted(statements, key=lambda one: one.statement.effect is Effect.ALLOW))
            self._by_action[action] = bound
        return bound
