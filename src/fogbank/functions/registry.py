"""The functions there are: created, read, changed, deleted, and who may invoke them.

All of them are also held in memory, so that invoking reads no storage. Writers race by version: the loser is told
that an update is in progress, as on AWS.
"""

import base64
import uuid
from collections.abc import Mapping
from typing import Unpack

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidParameterValue, ResourceConflict, ResourceNotFound
from fogbank.functions import function as functions
from fogbank.functions import names, resource_policy
from fogbank.functions.code import CodeCache
from fogbank.functions.errors import PolicyLengthExceeded, PreconditionFailed
from fogbank.functions.function import Changes, Configuration, Function
from fogbank.functions.names import LATEST
from fogbank.functions.resource_policy import Statement
from fogbank.ports import Documents, StaleVersion
from fogbank.storage.collection import Collection, Stored

PAGE = 50
"""The most functions that one ListFunctions returns."""


class Registry:
    """The functions of this instance. `function` arguments take names, partial ARNs and ARNs."""

    def __init__(self, documents: Documents, code: CodeCache, arns: Arns, clock: Clock) -> None:
        self._documents = documents
        self._collection = Collection(documents, "function", Function)
        self._code = code
        self._arns = arns
        self._clock = clock
        self._functions: dict[str, Stored[Function]] = {}

    async def start(self) -> None:
        """Read what is stored."""
        self._functions = {stored.key: stored for stored in await self._collection.scan()}

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, function: str, qualifier: str | None = None) -> Function:
        """The function. Raises ResourceNotFound, for versions and aliases too: there are none yet."""
        return self._stored(function, qualifier).value

    def arn(self, function: str, qualifier: str | None = None) -> str:
        """The ARN of what is named so, with its qualifier where there is one."""
        named = names.parse(function, self._arns, qualifier)
        return self._arns.function(named.name, named.qualifier)

    def exists(self, name: str) -> bool:
        """Whether there is a function of just this name."""
        return name in self._functions

    def current(self, function: Function) -> bool:
        """Whether code and configuration are still those of `function`."""
        stored = self._functions.get(function.name)
        return stored is not None and stored.value.deployment == function.deployment

    def uses(self, digest: str) -> bool:
        """Whether a function has the code with this digest."""
        return any(stored.value.code_digest == digest for stored in self._functions.values())

    def list(self, marker: str | None = None, limit: int = PAGE) -> tuple[list[Function], str | None]:
        """Functions in order of their names, after those the marker stands for, and the marker of what follows."""
        after = "" if marker is None else _read_marker(marker)
        following = sorted(name for name in self._functions if name > after)
        page = following[: min(limit, PAGE)]
        more = len(following) > len(page)
        return [self._functions[name].value for name in page], _marker(page[-1]) if more else None

    # --- changing -------------------------------------------------------------------------------------------------

    async def create(
        self,
        function: str,
        archive: bytes,
        configuration: Configuration,
        *,
        architecture: str = "x86_64",
        tags: Mapping[str, str] | None = None,
    ) -> Function:
        """Create a function. Raises ResourceConflict, InvalidParameterValue, RequestTooLarge."""
        named = names.parse(function, self._arns)
        if named.qualifier is not None:
            raise InvalidParameterValue(f"A function is created without a version or alias, not as {function}")
        functions.check(configuration)
        if named.name in self._functions:
            raise ResourceConflict(f"Function already exist: {named.name}")
        async with self._code.storing(archive) as digest:
            created = Function(
                name=named.name,
                configuration=configuration,
                code_digest=digest,
                code_size=len(archive),
                architecture=architecture,
                tags=tags or {},
                last_modified=self._clock.time(),
                revision_id=str(uuid.uuid4()),
                deployment=uuid.uuid4().hex,
            )
            try:
                await self._write(created, expect=0)
            except StaleVersion as error:
                raise ResourceConflict(f"Function already exist: {named.name}") from error
        return created

    async def update_code(
        self,
        function: str,
        archive: bytes,
        *,
        architecture: str | None = None,
        revision_id: str | None = None,
        dry_run: bool = False,
    ) -> Function:
        """Replace the code. `dry_run` checks the request and shows what it would make of the function."""
        stored = self._stored(function)
        _check_revision(stored.value, revision_id)
        async with self._code.storing(archive) as digest:
            updated = self._touch(
                stored.value,
                code_digest=digest,
                code_size=len(archive),
                architecture=architecture or stored.value.architecture,
                deployment=uuid.uuid4().hex,
            )
            if not dry_run:
                await self._replace(stored, updated)
        return updated

    async def update_configuration(
        self, function: str, *, revision_id: str | None = None, **changes: Unpack[Changes]
    ) -> Function:
        """Replace the members given in `changes`."""
        stored = self._stored(function)
        _check_revision(stored.value, revision_id)
        configuration = functions.check(msgspec.structs.replace(stored.value.configuration, **changes))
        updated = self._touch(stored.value, configuration=configuration, deployment=uuid.uuid4().hex)
        await self._replace(stored, updated)
        return updated

    async def delete(self, function: str, qualifier: str | None = None) -> Function:
        """Delete the function; what it was."""
        stored = self._stored(function, qualifier)
        if names.parse(function, self._arns, qualifier).qualifier is not None:
            raise InvalidParameterValue("$LATEST version cannot be deleted without deleting the function.")
        try:
            await self._collection.delete(stored.key, expect=stored.version)
        except StaleVersion as error:
            raise _in_progress(self._arns.function(stored.key)) from error
        del self._functions[stored.key]
        return stored.value

    # --- who may invoke -------------------------------------------------------------------------------------------

    async def add_permission(
        self, function: str, statement: Statement, *, qualifier: str | None = None, revision_id: str | None = None
    ) -> str:
        """Add a statement to the resource policy; the statement as JSON text."""
        resource_policy.check(statement)
        stored = self._stored(function, qualifier)
        _check_revision(stored.value, revision_id)
        if any(one.sid == statement.sid for one in stored.value.policy):
            raise ResourceConflict(
                f"The statement id ({statement.sid}) provided already exists. Please provide a new statement id, "
                "or remove the existing statement."
            )
        resource = self._arns.function(stored.key)
        updated = self._touch(stored.value, policy=(*stored.value.policy, statement))
        if len(resource_policy.policy(updated.policy, resource, self._arns.partition)) > resource_policy.MAX_BYTES:
            raise PolicyLengthExceeded(f"The final policy size is bigger than the limit ({resource_policy.MAX_BYTES}).")
        await self._replace(stored, updated)
        return msgspec.json.encode(resource_policy.document(statement, resource, self._arns.partition)).decode()

    def policy(self, function: str, qualifier: str | None = None) -> tuple[str, str]:
        """The resource policy as JSON text, and the revision of the function."""
        found = self.get(function, qualifier)
        if not found.policy:
            raise ResourceNotFound("The resource you requested does not exist.")
        text = resource_policy.policy(found.policy, self._arns.function(found.name), self._arns.partition)
        return text, found.revision_id

    async def remove_permission(
        self, function: str, sid: str, *, qualifier: str | None = None, revision_id: str | None = None
    ) -> None:
        """Remove the statement with that id."""
        stored = self._stored(function, qualifier)
        _check_revision(stored.value, revision_id)
        remaining = tuple(one for one in stored.value.policy if one.sid != sid)
        if len(remaining) == len(stored.value.policy):
            raise ResourceNotFound(f"Statement {sid} is not found in resource policy.")
        await self._replace(stored, self._touch(stored.value, policy=remaining))

    # --- storage --------------------------------------------------------------------------------------------------

    def _stored(self, function: str, qualifier: str | None = None) -> Stored[Function]:
        named = names.parse(function, self._arns, qualifier)
        stored = self._functions.get(named.name)
        if stored is None or named.qualifier not in (None, LATEST):
            raise ResourceNotFound(f"Function not found: {self._arns.function(named.name, named.qualifier)}")
        return stored

    def _touch(self, function: Function, **changes: object) -> Function:
        """With another revision; the time of modification is that of code and configuration."""
        if "deployment" in changes:
            changes["last_modified"] = self._clock.time()
        return msgspec.structs.replace(function, revision_id=str(uuid.uuid4()), **changes)

    async def _replace(self, stored: Stored[Function], updated: Function) -> None:
        try:
            await self._write(updated, expect=stored.version)
        except StaleVersion as error:
            raise _in_progress(self._arns.function(stored.key)) from error

    async def _write(self, function: Function, *, expect: int) -> None:
        version = await self._collection.put(function.name, function, expect=expect)
        self._functions[function.name] = Stored(function.name, version, function)


def _check_revision(function: Function, revision_id: str | None) -> None:
    if revision_id not in (None, function.revision_id):
        raise PreconditionFailed(
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to "
            "retrieve the latest RevisionId"
        )


def _in_progress(arn: str) -> ResourceConflict:
    return ResourceConflict(
        f"The operation cannot be performed at this time. An update is in progress for resource: {arn}"
    )


def _marker(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _read_marker(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise InvalidParameterValue("Invalid marker") from error
