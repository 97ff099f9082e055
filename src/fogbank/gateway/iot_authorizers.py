"""The IoT API of custom authorizers."""

import base64
import uuid
from collections.abc import Mapping
from typing import Any

from fogbank.errors import ResourceNotFound
from fogbank.gateway.call import Call, Members, operation
from fogbank.identity.authorizer_event import Http, Mqtt, ProtocolData, Tls
from fogbank.identity.authorizers import AuthorizerChange, Authorizers
from fogbank.identity.credentials import SIGNATURE, Credentials, of_head, of_username
from fogbank.identity.judge import Judge
from fogbank.identity.paging import cut
from fogbank.identity.records import Authorizer, AuthorizerStatus
from fogbank.ports import HttpHead
from fogbank.registry.tags import checked_tags


class IotAuthorizersApi:
    """CreateAuthorizer to TestInvokeAuthorizer, and the default authorizer."""

    def __init__(self, authorizers: Authorizers, judge: Judge) -> None:
        self._authorizers = authorizers
        self._judge = judge

    @operation("iot", "CreateAuthorizer")
    async def create_authorizer(self, call: Call) -> Members:
        params = call.params
        made = await self._authorizers.create(
            params["authorizerName"],
            params["authorizerFunctionArn"],
            token_key_name=params.get("tokenKeyName"),
            public_keys=params.get("tokenSigningPublicKeys"),
            status=_status(params.get("status")) or AuthorizerStatus.ACTIVE,
            signing_disabled=bool(params.get("signingDisabled")),
            caching_for_http=bool(params.get("enableCachingForHttp")),
            tags=checked_tags(params.get("tags")),
        )
        return self._reference(made.name)

    @operation("iot", "DescribeAuthorizer")
    async def describe_authorizer(self, call: Call) -> Members:
        return self._description(await self._authorizers.get(call.params["authorizerName"]))

    @operation("iot", "UpdateAuthorizer")
    async def update_authorizer(self, call: Call) -> Members:
        params = call.params
        change = AuthorizerChange(
            function_arn=params.get("authorizerFunctionArn"),
            token_key_name=params.get("tokenKeyName"),
            public_keys=params.get("tokenSigningPublicKeys"),
            status=_status(params.get("status")),
            caching_for_http=params.get("enableCachingForHttp"),
        )
        changed = await self._authorizers.update(params["authorizerName"], change)
        return self._reference(changed.name)

    @operation("iot", "DeleteAuthorizer")
    async def delete_authorizer(self, call: Call) -> Members:
        await self._authorizers.delete(call.params["authorizerName"])
        return {}

    @operation("iot", "ListAuthorizers")
    async def list_authorizers(self, call: Call) -> Members:
        """In alphabetical order; the other way round where it is not said to be ascending."""
        params = call.params
        found = await self._authorizers.all(_status(params.get("status")))
        descending = not params.get("ascendingOrder")
        page, following = cut(found, params.get("marker"), params.get("pageSize"), descending=descending)
        return {"authorizers": [self._reference(one.name) for one in page], "nextMarker": following}

    @operation("iot", "SetDefaultAuthorizer")
    async def set_default_authorizer(self, call: Call) -> Members:
        await self._authorizers.set_default(call.params["authorizerName"])
        return self._reference(call.params["authorizerName"])

    @operation("iot", "ClearDefaultAuthorizer")
    async def clear_default_authorizer(self, call: Call) -> Members:
        await self._authorizers.clear_default()
        return {}

    @operation("iot", "DescribeDefaultAuthorizer")
    async def describe_default_authorizer(self, call: Call) -> Members:
        name = await self._authorizers.default()
        if name is None:
            raise ResourceNotFound("There is no default authorizer")
        return self._description(await self._authorizers.get(name))

    @operation("iot", "TestInvokeAuthorizer")
    async def test_invoke_authorizer(self, call: Call) -> Members:
        """What the function answers. An authorizer that is INACTIVE can be tested: UNVERIFIED, and of use."""
        authorizer = await self._authorizers.get(call.params["authorizerName"])
        credentials, data = _credentials(call.params, authorizer.token_key_name), _protocol_data(call.params)
        answer = await self._judge.test(authorizer, credentials, data, str(uuid.uuid4()))
        if not answer.authenticated:
            return {"isAuthenticated": False}
        return {
            "isAuthenticated": True,
            "principalId": answer.principal,
            "policyDocuments": list(answer.documents),
            "refreshAfterInSeconds": answer.refresh,
            "disconnectAfterInSeconds": answer.disconnect,
        }

    def _reference(self, name: str) -> Members:
        return {"authorizerName": name, "authorizerArn": self._authorizers.arn(name)}

    def _description(self, one: Authorizer) -> Members:
        return {
            "authorizerDescription": {
                **self._reference(one.name),
                "authorizerFunctionArn": one.function_arn,
                "tokenKeyName": one.token_key_name,
                "tokenSigningPublicKeys": dict(one.public_keys),
                "status": one.status.value,
                "creationDate": one.created,
                "lastModifiedDate": one.modified,
                "signingDisabled": one.signing_disabled,
                "enableCachingForHttp": one.caching_for_http,
            }
        }


def _status(given: str | None) -> AuthorizerStatus | None:
    return None if given is None else AuthorizerStatus(given)


def _credentials(params: Mapping[str, Any], key_name: str | None) -> Credentials:
    """The token and signature of the request itself, else those in what it tells of a connection."""
    given = {}
    if key_name is not None and "token" in params:
        given[key_name.lower()] = params["token"]
    if "tokenSignature" in params:
        given[SIGNATURE] = params["tokenSignature"]
    http, mqtt = params.get("httpContext") or {}, params.get("mqttContext") or {}
    headers = {name.lower(): value for name, value in (http.get("headers") or {}).items()}
    query = (http.get("queryString") or "").removeprefix("?")
    sent = of_head(HttpHead(method="GET", path="/", query=query, headers=headers))
    return Credentials(given).over(sent).over(of_username(mqtt.get("username")))


def _protocol_data(params: Mapping[str, Any]) -> ProtocolData:
    tls, http, mqtt = (params.get(name) for name in ("tlsContext", "httpContext", "mqttContext"))
    return ProtocolData(
        tls=None if tls is None else Tls(tls.get("serverName")),
        http=None if http is None else Http(http.get("headers"), http.get("queryString")),
        mqtt=None if mqtt is None else Mqtt(mqtt.get("username"), _base64(mqtt.get("password")), mqtt.get("clientId")),
    )


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
