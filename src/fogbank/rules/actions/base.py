"""What every action of a rule is given and owes.

An action works in two steps. `plan` fills its templates in and says what is to be done, on which resource, and which
right its role needs for that; it does nothing. `perform` does it, for several firings at once where the target takes
them together. What was planned once stays the same through all further tries: a name made by `newuuid()` is made once.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeVar

import msgspec

from fogbank.arns import Arns
from fogbank.errors import FogbankError, InvalidRequest, ServiceError
from fogbank.message import Message
from fogbank.ports import (
    AwsServices,
    HttpTargets,
    Invoker,
    KafkaTargets,
    OutboundError,
    Publisher,
    RoleRights,
)
from fogbank.rules.templates import Template
from fogbank.sql import Answers, Event, Known, Statement

P = TypeVar("P", bound=msgspec.Struct)

RETRY_DELAYS = (0.25, 1.0)
"""Seconds before each further try of an action whose failure may pass. AWS documents no schedule."""

_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/\S+", re.ASCII)


class ConfirmedUrls(Protocol):
    """Which URLs messages may be sent to: those whose owners have confirmed that they want them."""

    def refusal(self, url: str) -> str | None:
        """Why nothing may be sent to `url`; None: it may."""
        ...


class Outside(msgspec.Struct, frozen=True):
    """What actions reach beyond the platform."""

    aws: AwsServices
    http: HttpTargets
    kafka: KafkaTargets
    destinations: ConfirmedUrls
    rights: RoleRights | None = None
    """None: roles are not checked."""


class Context(msgspec.Struct, frozen=True):
    """What actions are made with: the rule they belong to, and the platform as far as they may touch it."""

    rule: str
    statement: Statement
    arns: Arns
    publisher: Publisher
    invoker: Invoker
    reach: Outside | None = None
    """None: actions which reach beyond the platform are refused."""
    templates: list[Template] = msgspec.field(default_factory=list)
    """All that were made."""

    def template(self, kind: str, field: str, text: str) -> Template:
        """A parameter of an action as a template. Raises SqlParse, naming the field."""
        template = Template(text, self.statement, f'action "{kind}": {field}')
        self.templates.append(template)
        return template

    def optional(self, kind: str, field: str, text: str | None) -> Template | None:
        """A parameter of an action that may be missing."""
        return None if text is None else self.template(kind, field, text)

    def outside(self, kind: str) -> Outside:
        """Raises InvalidRequest where this platform has no way out."""
        if self.reach is None:
            raise InvalidRequest(f'action "{kind}" reaches beyond the platform, which this one was started without')
        return self.reach


class Firing(msgspec.Struct, frozen=True):
    """One message that a rule fired for."""

    message: Message
    event: Event
    """The message as SQL sees it; substitution templates are evaluated against it."""
    output: bytes
    """The serialised result of SELECT."""
    answers: Answers | None = None
    """What the world has answered for the message, and whom else to ask; None: nothing of the rule asks."""
    known: Known | None = None
    """Of that, what templates see; set while an action plans."""

    def render(self, template: Template) -> str:
        """A template for this message. Raises OutsideFailed."""
        return template.render(self.event, self.known)


class Need(msgspec.Struct, frozen=True):
    """The right that an action's role must have: `dynamodb:PutItem` on the ARN of a table."""

    action: str
    resource: str


class Plan(msgspec.Struct, frozen=True):
    """What an action is about to do for one firing, all templates filled in."""

    resource: str
    """What it acts on, as the error action is told of it (`failedResource`)."""
    request: Any
    """What will be done, in terms of the action."""
    need: Need | None = None
    """None: no role is asked."""


class ActionFailed(FogbankError):
    """An action did not do its work. `transient` says whether trying again may help."""

    def __init__(
        self, message: str, *, resource: str, transient: bool = False, unforeseen: Exception | None = None
    ) -> None:
        """`unforeseen` is an error of our own making, whose traceback is wanted in the log."""
        super().__init__(message)
        self.resource = resource
        self.transient = transient
        self.unforeseen = unforeseen


Results = Sequence[ActionFailed | None]
"""Of each plan in its order what it failed of, if it did."""


class Action(Protocol):
    """An action of one rule, its parameters checked and its templates compiled."""

    @property
    def kind(self) -> str:
        """The member of the API's Action structure: `lambda`, `republish`."""
        ...

    @property
    def title(self) -> str:
        """What the error action's payload calls it (`failedAction`): `LambdaAction`."""
        ...

    @property
    def target(self) -> str:
        """What it acts on, as the rule has it: the function's ARN or the topic, templates not yet filled in."""
        ...

    @property
    def role(self) -> str | None:
        """The ARN of the role in whose name it acts."""
        ...

    @property
    def durable(self) -> bool:
        """Whether it matters beyond the life of the process that it is done."""
        ...

    @property
    def most(self) -> int:
        """Plans that `perform` takes at once at most."""
        ...

    @property
    def linger(self) -> float:
        """Seconds that a firing waits for others to be performed with; 0: it goes at once, unless others are busy."""
        ...

    @property
    def retry_delays(self) -> Sequence[float]:
        """Seconds before each further try of what failed and may pass."""
        ...

    def plan(self, firing: Firing) -> Plan:
        """What is to be done for a firing. Raises ActionFailed where the message does not allow it."""
        ...

    async def perform(self, plans: Sequence[Plan]) -> Results:
        """Do it. Also raises ActionFailed, OutboundError or ServiceError where all of `plans` failed of the same."""
        ...


class SingleAction:
    """What most actions are: one firing at a time, tried again by the usual schedule."""

    kind: str
    title: str
    parameters: type[msgspec.Struct]
    """The API's structure of that kind."""
    durable = True
    most = 1
    linger = 0.0
    retry_delays: Sequence[float] = RETRY_DELAYS

    def __init__(self, target: str, role: str | None) -> None:
        self.target = target
        self.role = role

    @classmethod
    def make(cls, members: object, context: Context) -> Self:
        """From the API's members. Raises InvalidRequest and SqlParse."""
        of_parameters: Callable[..., Self] = cls
        return of_parameters(read_parameters(cls.kind, members, cls.parameters), context)


def read_parameters(kind: str, members: object, type_: type[P]) -> P:
    """The parameters of an action. Raises InvalidRequest, naming the one that is missing, wrong or unknown."""
    try:
        parameters = msgspec.convert(members, type_)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f'action "{kind}": {error}') from error
    role = getattr(parameters, "role_arn", None)
    if role is not None:
        check_role(kind, role)
    return parameters


def check_role(kind: str, role: str) -> str:
    """Return `role`, or raise InvalidRequest where it is not the ARN of one."""
    if not _ROLE.fullmatch(role):
        raise InvalidRequest(f'action "{kind}": roleArn {role!r} is not the ARN of a role')
    return role


def filled(template: Template, firing: Firing, field: str, resource: str) -> str:
    """A parameter for one message. Raises ActionFailed where nothing is left of it, which no target takes."""
    text = firing.render(template)
    if not text:
        raise ActionFailed(f"{field} {template.text!r} is empty for this message", resource=resource)
    return text


def is_transient(error: ServiceError) -> bool:
    """Whether the same call may succeed a little later: the service was busy or out of order, and we were not wrong."""
    return error.status >= 500 or error.status == 429


def failure(what: str, error: OutboundError, resource: str) -> ActionFailed:
    """What went wrong outside, in the words in which AWS tells it ("Error action message format")."""
    failed = ActionFailed(f"{what}. The error received was {error}", resource=resource, transient=error.transient)
    failed.__cause__ = error
    return failed
