"""Which actions there are, and how one is made from what the API was given."""

from collections.abc import Callable

from fogbank.errors import InvalidRequest
from fogbank.rules.actions import lambda_, republish
from fogbank.rules.actions.base import Action, Context
from fogbank.rules.definition import Members

MAKERS: dict[str, Callable[[object, Context], Action]] = {
    lambda_.KIND: lambda_.LambdaAction.make,
    republish.KIND: republish.RepublishAction.make,
}
"""By the member of the API's Action structure. What is not here is refused, by name, when a rule is created."""


def make_action(members: Members, context: Context) -> Action:
    """The action that `members`, an Action structure of the API, describes. Raises InvalidRequest and SqlParse."""
    named = sorted(kind for kind, parameters in members.items() if parameters is not None)
    if len(named) != 1:
        raise InvalidRequest(
            f"an action must name exactly one action type, this one names {', '.join(named) or 'none'}"
        )
    [kind] = named
    if kind not in MAKERS:
        supported = ", ".join(sorted(MAKERS))
        raise InvalidRequest(f'action "{kind}" is not supported yet; supported are: {supported}')
    return MAKERS[kind](members[kind], context)
