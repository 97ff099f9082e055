"""The IoT API of certificate authorities: RegisterCACertificate to ListCertificatesByCA, and the registration code."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.gateway.iot_certificates import summary
from fogbank.registry.records import CaCertificate, CaStatus, CertificateMode, RegistrationConfig
from fogbank.registry.registry import Registry
from fogbank.registry.tags import checked_tags
from fogbank.storage.paging import Paging


class IotCaCertificatesApi:
    """Nine operations."""

    def __init__(self, registry: Registry) -> None:
        self._cas = registry.ca_certificates
        self._codes = registry.registration_codes
        self._certificates = registry.certificates
        self._account = registry.arns.account

    @operation("iot", "GetRegistrationCode")
    async def get_registration_code(self, call: Call) -> Members:
        return {"registrationCode": await self._codes.get()}

    @operation("iot", "DeleteRegistrationCode")
    async def delete_registration_code(self, call: Call) -> Members:
        await self._codes.delete()
        return {}

    @operation("iot", "RegisterCACertificate")
    async def register_ca_certificate(self, call: Call) -> Members:
        params = call.params
        ca = await self._cas.register(
            params["caCertificate"],
            params.get("verificationCertificate"),
            mode=CertificateMode(params.get("certificateMode") or "DEFAULT"),
            active=bool(params.get("setAsActive")),
            auto_registration=bool(params.get("allowAutoRegistration")),
            registration=_registration(params.get("registrationConfig")),
            tags=checked_tags(params.get("tags")),
        )
        return {"certificateArn": self._cas.arn(ca.id), "certificateId": ca.id}

    @operation("iot", "DescribeCACertificate")
    async def describe_ca_certificate(self, call: Call) -> Members:
        ca = await self._cas.describe(call.params["certificateId"])
        found: Members = {
            "certificateDescription": {
                **self._summary(ca),
                "certificatePem": ca.pem,
                "ownedBy": self._account,
                "autoRegistrationStatus": "ENABLE" if ca.auto_registration else "DISABLE",
                "lastModifiedDate": ca.modified,
                "customerVersion": ca.customer_version,
                "generationId": ca.generation,
                "validity": {"notBefore": ca.not_before, "notAfter": ca.not_after},
                "certificateMode": ca.mode.value,
            }
        }
        if ca.registration is not None:
            members = {
                "templateBody": ca.registration.template_body,
                "roleArn": ca.registration.role_arn,
                "templateName": ca.registration.template_name,
            }
            found["registrationConfig"] = {name: value for name, value in members.items() if value is not None}
        return found

    @operation("iot", "ListCACertificates")
    async def list_ca_certificates(self, call: Call) -> Members:
        page = await self._cas.page(
            Paging(call.params.get("marker"), call.params.get("pageSize")),
            ascending=bool(call.params.get("ascendingOrder")),
            template=call.params.get("templateName"),
        )
        return {"certificates": [self._summary(one) for one in page.items], "nextMarker": page.next}

    @operation("iot", "ListCertificatesByCA")
    async def list_certificates_by_ca(self, call: Call) -> Members:
        page = await self._certificates.page_of_ca(
            call.params["caCertificateId"],
            Paging(call.params.get("marker"), call.params.get("pageSize")),
            ascending=bool(call.params.get("ascendingOrder")),
        )
        found = [summary(one, self._certificates.arn(one.id)) for one in page.items]
        return {"certificates": found, "nextMarker": page.next}

    @operation("iot", "UpdateCACertificate")
    async def update_ca_certificate(self, call: Call) -> Members:
        params = call.params
        status, auto = params.get("newStatus"), params.get("newAutoRegistrationStatus")
        await self._cas.update(
            params["certificateId"],
            status=None if status is None else CaStatus(status),
            auto_registration=None if auto is None else auto == "ENABLE",
            registration=_registration(params.get("registrationConfig")),
            remove_auto_registration=bool(params.get("removeAutoRegistration")),
        )
        return {}

    @operation("iot", "DeleteCACertificate")
    async def delete_ca_certificate(self, call: Call) -> Members:
        await self._cas.delete(call.params["certificateId"])
        return {}

    def _summary(self, ca: CaCertificate) -> Members:
        return {
            "certificateArn": self._cas.arn(ca.id),
            "certificateId": ca.id,
            "status": ca.status.value,
            "creationDate": ca.created,
        }


def _registration(members: Members | None) -> RegistrationConfig | None:
    """Empty members ask for nothing, and a configuration of none of them is none."""
    if not members or not any(members.values()):
        return None
    return RegistrationConfig(
        template_body=members.get("templateBody") or None,
        role_arn=members.get("roleArn") or None,
        template_name=members.get("templateName") or None,
    )
