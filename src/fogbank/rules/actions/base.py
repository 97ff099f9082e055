"""What every action of a rule is given and owes."""

from typing import Protocol, TypeVar

import msgspec

from fogbank.arns import Arns
from fogbank.errors import FogbankError, InvalidRequest, ServiceError
from fogbank.message import Message
from fogbank.ports import Invoker, Publisher
from fogbank.sql import Event, Statement

P = TypeVar("P", bound=msgspec.Struct)


class Context(msgspec.Struct, frozen=True):
    """What actions are made with: the rule they belong to, and the platform as far as they may touch it."""

    rule: str
    statement: Statement
    arns: Arns
    publisher: Publisher
    invoker: Invoker


class Firing(msgspec.Struct, frozen=True):
    """One message that a rule fired for."""

    message: Message
    event: Event
    """The message as SQL sees it; substitution templates are evaluated against it."""
    output: bytes
    """The serialised result of SELECT."""


class ActionFailed(FogbankError):
    """An action did not do its work. `transient` says whether trying again may help."""

    def __init__(self, message: str, *, resource: str, transient: bool = False) -> None:
        super().__init__(message)
        self.resource = resource
        self.transient = transient


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

    async def run(self, firing: Firing) -> None:
        """Do it once. Raises ActionFailed."""
        ...


def read_parameters(kind: str, members: object, type_: type[P]) -> P:
    """The parameters of an action. Raises InvalidRequest, naming the one that is missing, wrong or unknown."""
    try:
        return msgspec.convert(members, type_)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f'action "{kind}": {error}') from error


def is_transient(error: ServiceError) -> bool:
    """Whether the same call may succeed a little later: the service was busy or out of order, and we were not wrong."""
    return error.status >= 500 or error.status == 429
