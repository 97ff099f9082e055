"""STS's API: who am I, and temporary keys."""

from fogbank.arns import Arns
from fogbank.errors import NotImplementedByFogbank
from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iam_answers import read_tags
from fogbank.identity.iam.iam import Iam
from fogbank.identity.iam.seal import Session
from fogbank.identity.iam.sts import SESSION, Opened, Wish


class StsApi:
    """AssumeRole, GetSessionToken, GetCallerIdentity and GetAccessKeyInfo of botocore's `sts` model."""

    def __init__(self, iam: Iam, arns: Arns) -> None:
        self._sts = iam.sts
        self._arns = arns

    @operation("sts", "GetCallerIdentity")
    async def get_caller_identity(self, call: Call) -> Members:
        caller, account = call.caller, self._arns.account
        return {"UserId": account if caller.device is None else caller.device.id, "Account": account, "Arn": caller.arn}

    @operation("sts", "GetAccessKeyInfo")
    async def get_access_key_info(self, call: Call) -> Members:
        return {"Account": self._arns.account}

    @operation("sts", "AssumeRole")
    async def assume_role(self, call: Call) -> Members:
        params = call.params
        _refuse(call, "SerialNumber", "TokenCode", "TransitiveTagKeys", "ProvidedContexts")
        wish = Wish(
            role_arn=params["RoleArn"],
            name=params["RoleSessionName"],
            duration=params.get("DurationSeconds", SESSION),
            policy=params.get("Policy"),
            policy_arns=tuple(one["arn"] for one in params.get("PolicyArns") or ()),
            external_id=params.get("ExternalId"),
            tags=read_tags(params),
            source_identity=params.get("SourceIdentity"),
        )
        caller = call.caller
        opened = await self._sts.assume_role(caller.device, caller.principals, wish, caller.source_ip)
        return {
            "Credentials": _credentials(opened),
            "AssumedRoleUser": {"AssumedRoleId": opened.id, "Arn": opened.arn},
            "PackedPolicySize": opened.packed,
            "SourceIdentity": wish.source_identity,
        }

    @operation("sts", "GetSessionToken")
    async def get_session_token(self, call: Call) -> Members:
        _refuse(call, "SerialNumber", "TokenCode")
        caller, duration = call.caller, call.params.get("DurationSeconds")
        opened = await self._sts.session_token(caller.principal, caller.device, caller.principals, duration)
        return {"Credentials": _credentials(opened)}


def _refuse(call: Call, *names: str) -> None:
    """Raises NotImplementedByFogbank for parameters that would be ignored."""
    for name in names:
        if call.params.get(name):
            raise NotImplementedByFogbank(f"Fogbank does not implement {name} of sts:{call.operation} yet.")


def _credentials(opened: Opened) -> Members:
    session: Session = opened.session
    return {
        "AccessKeyId": session.key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": opened.token,
        "Expiration": session.expires,
    }
