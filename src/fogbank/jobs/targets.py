"""What a job is for: things and groups by their ARNs."""

from collections.abc import Sequence

from fogbank.arns import Arns
from fogbank.errors import InvalidRequest, LimitExceeded, ResourceNotFound
from fogbank.jobs.records import Target, TargetKind
from fogbank.ports import Fleet

_KINDS: tuple[TargetKind, ...] = ("thing", "thinggroup")
_LONGEST_SHOWN = 300


class Targets:
    """Reads and checks targets."""

    def __init__(self, fleet: Fleet, arns: Arns, most: int | None) -> None:
        self._fleet = fleet
        self._arns = arns
        self._most = most

    async def read(self, arns: Sequence[str], already: Sequence[Target] = ()) -> tuple[Target, ...]:
        """The targets, each once, after those a job has already.

        Raises InvalidRequest, ResourceNotFound, LimitExceeded.
        """
        found = dict.fromkeys(already)
        for arn in arns:
            found[await self._target(arn)] = None
        if self._most is not None and len(found) > self._most:
            raise LimitExceeded(f"A job has at most {self._most} targets, not {len(found)}")
        return tuple(found)

    def arn(self, target: Target) -> str:
        return self._arns.iot(target.kind, target.name)

    async def _target(self, arn: str) -> Target:
        for kind in _KINDS:
            prefix = self._arns.iot(kind, "")
            if not arn.startswith(prefix):
                continue
            name = arn[len(prefix) :]
            if kind == "thing":
                if await self._fleet.exists(name):
                    return Target(kind, name)
            elif (id_ := await self._fleet.group_id(name)) is not None:
                return Target(kind, name, id_)
            raise ResourceNotFound(f"Target {arn[:_LONGEST_SHOWN]} does not exist")
        raise InvalidRequest(
            f"Target {arn[:_LONGEST_SHOWN]!r} is not the ARN of a thing or thing group of this account and region"
        )
