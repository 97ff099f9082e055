"""Provisioning claims: what a trusted user fetches for a device that is to be set up (developer guide,
provision-wo-cert, "Provisioning by trusted user"; API reference, CreateProvisioningClaim).

A claim is a certificate for five minutes that may do one thing: have a device provisioned by one template. Nobody
writes a policy for that, so that these rights are here; and it is in no list of certificates.
"""

import datetime

import msgspec

from fogbank.arns import Arns
from fogbank.clock import Clock
from fogbank.errors import InvalidRequest
from fogbank.ports import PolicyDocument
from fogbank.registry.certificates import Certificates
from fogbank.registry.device_issuer import IssuedKeys
from fogbank.registry.provisioning.records import Claim, Deadline, ProvisioningRecords, TemplateType
from fogbank.registry.provisioning.templates import ProvisioningTemplates
from fogbank.registry.records import Certificate

LIFETIME = 300.0
"""Seconds (API reference, CreateProvisioningClaim)."""
POLICY = "provisioning claim"
"""What explanations call the rights of a claim; no policy of the account can bear this name."""


class ProvisioningClaims:
    """Makes claims, and knows what they may do."""

    def __init__(
        self,
        records: ProvisioningRecords,
        certificates: Certificates,
        templates: ProvisioningTemplates,
        arns: Arns,
        clock: Clock,
    ) -> None:
        self._records = records
        self._certificates = certificates
        self._templates = templates
        self._arns = arns
        self._clock = clock

    async def create(self, template: str) -> tuple[Certificate, IssuedKeys, float]:
        """A claim on a template, and when it ends. Raises ResourceNotFound, InvalidRequest.

        The template need not be enabled: that is asked when the device is provisioned. UNVERIFIED.
        """
        if (await self._templates.describe(template)).type is not TemplateType.FLEET_PROVISIONING:
            raise InvalidRequest(f"Provisioning template {template} is not of type FLEET_PROVISIONING")
        expires = int(self._clock.time()) + LIFETIME  # certificates know no part of a second
        claim = Claim(template=template, expires=expires)

        certificate, keys = await self._certificates.create_with_keys(
            active=True,
            until=datetime.datetime.fromtimestamp(expires, datetime.UTC),
            listed=False,
            along=lambda id_: (
                self._records.claims.putting(id_, claim),
                self._records.deadlines.putting(Deadline(id_, expires).key, Deadline(id_, expires)),
            ),
        )
        return certificate, keys, expires

    async def rights(self, certificate: str) -> PolicyDocument | None:
        """What the holder of a claim may do; None where the certificate is no claim that still holds."""
        stored = await self._records.claims.get(certificate)
        if stored is None or stored.value.expires <= self._clock.time():
            return None
        return PolicyDocument(POLICY, self._document(stored.value.template))

    def _document(self, template: str) -> str:
        """The developer guide's policy for claim certificates, with the topics for certificate signing requests."""
        topics = (
            "$aws/certificates/create/*",
            "$aws/certificates/create-from-csr/*",
            f"$aws/provisioning-templates/{template}/provision/*",
        )
        exchange, listen = (
            [self._arns.iot("topic", one) for one in topics],
            [self._arns.iot("topicfilter", one) for one in topics],
        )
        statements = [
            {"Effect": "Allow", "Action": "iot:Connect", "Resource": "*"},
            {"Effect": "Allow", "Action": ["iot:Publish", "iot:Receive"], "Resource": exchange},
            {"Effect": "Allow", "Action": "iot:Subscribe", "Resource": listen},
        ]
        return msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()
