"""The questions that `fogbank policy simulate` asks, put to the policies as the broker puts them.

A decision depends on more than the documents: on the client ID, on the thing that stands behind the connection, on the
certificate. So an answer shows, besides the reason, what each variable was worth that the statements look at.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from fogbank.arns import Arns
from fogbank.policy import Decision, PolicySet, connection_variables
from fogbank.policy.absence import why_absent
from fogbank.policy.actions import RESOURCE_KIND
from fogbank.policy.variables import Values, Variables, fold
from fogbank.ports import Grant, Identity, PolicyDocument, ThingContext

_KIND = {action.lower(): kind for action, kind in RESOURCE_KIND.items()}
_SERVICES = ("iot:", "iotjobsdata:")

_SHOWN_THINGS = 3


class Principal(msgspec.Struct, frozen=True):
    """Who acts: what a certificate holds, as the registry has it or as the command line describes it."""

    arns: Arns
    policies: tuple[PolicyDocument, ...]
    identity: Identity | None = None
    """None where no certificate was given: its variables have no value."""
    attached: Mapping[str, bool] = {}
    """The things the certificate is attached to, and whether exclusively."""
    describe: Callable[[str], ThingContext] = lambda name: ThingContext(name, attached=True)
    inherited: Callable[[str], Sequence[PolicyDocument]] = lambda name: ()
    """The policies of the groups that a thing is in."""

    def grant(self, client_id: str | None) -> Grant:
        """What it holds on a connection: its own policies, its thing, and the policies of that thing's groups."""
        thing = self.thing(client_id)
        inherited = self.inherited(thing.name) if thing is not None and thing.attached else ()
        return Grant(tuple(dict.fromkeys((*self.policies, *inherited))), thing)

    def thing(self, client_id: str | None) -> ThingContext | None:
        """What stands behind a connection: the thing attached exclusively, else the one named like the client.

        (developer guide, thing-policy-variables) None where there is no client ID, which is over HTTP.
        """
        if client_id is None:
            return None
        name = next((name for name, exclusive in self.attached.items() if exclusive), client_id)
        return self.describe(name) if name in self.attached else ThingContext(client_id, attached=False)


class Question(msgspec.Struct, frozen=True):
    """One request to decide on."""

    action: str
    resource: str
    """An ARN."""
    client_id: str | None = None
    context: Mapping[str, str | Sequence[str]] = {}
    """The condition keys of this request alone."""

    @property
    def warning(self) -> str:
        """Where the question itself makes no sense: why."""
        kind = _KIND.get(self.action.lower())
        if kind is None:
            ours = self.action.lower().startswith(_SERVICES)
            return f"{self.action} is no action that is decided on by IoT policies" if ours else ""
        if self.resource == "*" if kind == "*" else self.resource.split(":", 5)[-1].startswith(f"{kind}/"):
            return ""
        return f"{self.action} is never checked on {self.resource}, only on {kind if kind == '*' else f'{kind}/...'}"


class Value(msgspec.Struct, frozen=True):
    """What a variable or condition key was worth."""

    name: str
    values: tuple[str, ...] | None
    """None where it has no value."""
    why_not: str = ""
    """Then: what it would have come from, as far as that is known."""

    @property
    def plain(self) -> str | tuple[str, ...] | None:
        """One text, several, or None."""
        return self.values[0] if self.values is not None and len(self.values) == 1 else self.values

    def __str__(self) -> str:
        if self.values is None:
            return f"{self.name} has no value" + (f": {self.why_not}" if self.why_not else "")
        return f"{self.name} = {', '.join(self.values)}" if self.values else f"{self.name} is empty"


class Answer(msgspec.Struct, frozen=True):
    """A question with the decision on it, and the values that it came from."""

    question: Question
    decision: Decision
    variables: tuple[Value, ...]

    def document(self) -> dict[str, object]:
        """The answer for programs."""
        statement = self.decision.statement
        return {
            "allowed": self.decision.allowed,
            "action": self.question.action,
            "resource": self.question.resource,
            "reason": self.decision.reason,
            "policy": None if statement is None else statement.policy,
            "statement": None if statement is None else statement.number,
            "sid": None if statement is None else statement.sid,
            "variables": {value.name: value.plain for value in self.variables},
        }


class Simulation:
    """Answers for one principal. Raises MalformedPolicy where a document of its is none."""

    def __init__(
        self,
        principal: Principal,
        source_ip: str | None = None,
        domain_name: str | None = None,
        context: Values | None = None,
    ) -> None:
        """`context` are condition keys of every request."""
        self._principal = principal
        self._source_ip = source_ip
        self._domain_name = domain_name
        self._context = context or {}
        PolicySet.compile(principal.policies)

    def answer(self, question: Question) -> Answer:
        """Decide, and look up what the statements about the action look at, whether or not they decided."""
        grant = self._principal.grant(question.client_id)
        policies = PolicySet.compile(grant.policies)
        values = connection_variables(
            self._principal.identity,
            client_id=question.client_id,
            thing=grant.thing,
            source_ip=self._source_ip,
            domain_name=self._domain_name,
        )
        context = {**question.context, **self._context}
        decision = policies.bind(values).decide(question.action, question.resource, context)
        variables = Variables(values, context)
        names: dict[str, str] = {}
        for _, statement in policies.statements(question.action):
            for name in statement.references:
                names.setdefault(fold(name), name)
        return Answer(
            question, decision, tuple(self._value(key, name, variables, grant.thing) for key, name in names.items())
        )

    def _value(self, key: str, name: str, variables: Variables, thing: ThingContext | None) -> Value:
        values = variables.all(key)
        if values is not None:
            return Value(name, tuple(values))
        return Value(name, None, self._why_not(key, variables, thing))

    def _why_not(self, key: str, variables: Variables, thing: ThingContext | None) -> str:
        """Why there is none: what the command line did not say, what the registry knows, else what policies say."""
        if key.startswith("iot:certificate") and self._principal.identity is None:
            return "no certificate was given"
        if key.startswith(("iot:connection.thing.", "iot:thing.")):
            if thing is None:
                return "no client ID was given"
            if not thing.attached:
                return self._why_no_thing(thing)
        missing = {"iot:clientid": "client ID", "aws:sourceip": "source IP", "iot:domainname": "domain name"}.get(key)
        return f"no {missing} was given" if missing else why_absent(key, variables)

    def _why_no_thing(self, thing: ThingContext) -> str:
        attached = [*self._principal.attached]
        if not attached:
            return "no thing is attached to the certificate"
        listed = ", ".join(map(repr, attached[:_SHOWN_THINGS])) + (", ..." if len(attached) > _SHOWN_THINGS else "")
        return f"the client ID {thing.name!r} is not the name of the thing that is attached, {listed}"
