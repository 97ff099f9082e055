"""The IoT API of role aliases, and the page where devices exchange their certificate for credentials of the role."""

from fogbank.awswire.http import Response
from fogbank.awswire.timestamps import to_second
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.pages import Audience, Page, Visit, json_response
from fogbank.identity.credential_provider import CredentialProvider
from fogbank.identity.paging import cut
from fogbank.identity.records import RoleAlias
from fogbank.identity.role_aliases import DURATION, RoleAliases
from fogbank.registry.tags import checked_tags

THING_HEADER = "x-amzn-iot-thingname"


class IotRoleAliasesApi:
    """CreateRoleAlias to DeleteRoleAlias."""

    def __init__(self, aliases: RoleAliases, provider: CredentialProvider, account: str) -> None:
        self._aliases = aliases
        self._provider = provider
        self._account = account

    @operation("iot", "CreateRoleAlias")
    async def create_role_alias(self, call: Call) -> Members:
        params = call.params
        duration = params.get("credentialDurationSeconds") or DURATION
        tags = checked_tags(params.get("tags"))
        made = await self._aliases.create(params["roleAlias"], params["roleArn"], duration=duration, tags=tags)
        return self._reference(made)

    @operation("iot", "DescribeRoleAlias")
    async def describe_role_alias(self, call: Call) -> Members:
        found = await self._aliases.get(call.params["roleAlias"])
        return {
            "roleAliasDescription": {
                **self._reference(found),
                "roleArn": found.role_arn,
                "owner": self._account,
                "credentialDurationSeconds": found.duration,
                "creationDate": found.created,
                "lastModifiedDate": found.modified,
            }
        }

    @operation("iot", "UpdateRoleAlias")
    async def update_role_alias(self, call: Call) -> Members:
        params = call.params
        changed = await self._aliases.update(
            params["roleAlias"], role_arn=params.get("roleArn"), duration=params.get("credentialDurationSeconds")
        )
        return self._reference(changed)

    @operation("iot", "DeleteRoleAlias")
    async def delete_role_alias(self, call: Call) -> Members:
        await self._aliases.delete(call.params["roleAlias"])
        return {}

    @operation("iot", "ListRoleAliases")
    async def list_role_aliases(self, call: Call) -> Members:
        """In alphabetical order; the other way round where it is not said to be ascending."""
        params, found = call.params, await self._aliases.all()
        descending = not params.get("ascendingOrder")
        page, following = cut(found, params.get("marker"), params.get("pageSize"), descending=descending)
        return {"roleAliases": [one.name for one in page], "nextMarker": following}

    @property
    def credentials_page(self) -> Page:
        """`GET /role-aliases/ALIAS/credentials`, at every TLS port (developer guide, authorizing-direct-aws)."""
        path = "/role-aliases/{alias}/credentials"
        return Page(
            method="GET",
            path=path,
            audience=Audience.DEVICES,
            answer=self._credentials,
            event="AssumeRoleWithCertificate",
        )

    async def _credentials(self, visit: Visit) -> Response:
        caller = visit.caller
        assert caller is not None, "the page is not for anyone"
        assert caller.device is not None, "the page is for devices"
        opened = await self._provider.credentials(
            caller.device,
            visit.names["alias"],
            thing=visit.request.headers.get(THING_HEADER),
            source_ip=caller.source_ip,
            server_name=caller.server_name,
        )
        credentials = {
            "accessKeyId": opened.session.key_id,
            "secretAccessKey": opened.session.secret,
            "sessionToken": opened.token,
            "expiration": to_second(opened.session.expires),
        }
        return json_response({"credentials": credentials})

    def _reference(self, one: RoleAlias) -> Members:
        return {"roleAlias": one.name, "roleAliasArn": self._aliases.arn(one.name)}
