"""The IoT API of provisioning claims: what a trusted user fetches for a device that is to be set up."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.registry import Registry


class IotProvisioningClaimsApi:
    """CreateProvisioningClaim."""

    def __init__(self, registry: Registry) -> None:
        self._claims = registry.provisioning_claims

    @operation("iot", "CreateProvisioningClaim")
    async def create_provisioning_claim(self, call: Call) -> Members:
        certificate, keys, expires = await self._claims.create(call.params["templateName"])
        return {
            "certificateId": certificate.id,
            "certificatePem": certificate.pem,
            "keyPair": {"PublicKey": keys.public_key, "PrivateKey": keys.private_key},
            "expiration": expires,
        }
