"""Why a policy variable or condition key has no value: the commonest reason why a policy does not do what was meant.

Where each comes from: developer guide, iot-policy-variables and the pages below it; connect-policy for the keys of
iot:Connect.
"""

from fogbank.policy.variables import Variables

_IS_ATTACHED = "iot:connection.thing.isattached"

_OTHERS = {
    "iot:clientid": "there is none, as over HTTP",
    "aws:sourceip": "the address is unknown",
    "iot:domainname": "the client named no server in the TLS handshake",
    "iot:certificateid": "there is no certificate",
    "iot:connectattributes": "only iot:Connect has it",
    "iot:lastwilltopic": "only iot:Connect with a last will has it",
    "iot:topic": "only iot:SendDirectMessage has it",
}


def why_absent(key: str, variables: Variables) -> str:
    """In a few words, why the folded name `key` has no value among `variables`."""
    if key.startswith(("iot:connection.thing.", "iot:thing.")):
        return _why_no_thing(key, variables)
    if key.startswith("iot:certificate."):
        return "the certificate has none" if variables.all("iot:certificateid") else "there is no certificate"
    return _OTHERS.get(key, "there is no such variable")


def _why_no_thing(key: str, variables: Variables) -> str:
    attached = variables.text(_IS_ATTACHED)
    if attached is None:
        return "there is no client ID to name a thing, as over HTTP"
    if attached == "false":
        client_id = variables.text("iot:clientid")
        return f"no thing of the client ID's name, {client_id!r}, is attached to the certificate"
    thing = variables.text("iot:connection.thing.thingname")
    if key == "iot:connection.thing.thingtypename":
        return f"thing {thing!r} has no type"
    if key.startswith("iot:connection.thing.attributes["):
        return f"thing {thing!r} has no such attribute"
    return "there is no such variable"
