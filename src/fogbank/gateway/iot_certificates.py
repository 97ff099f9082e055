"""The IoT API of client certificates."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.paging import Paging
from fogbank.registry.records import Certificate, CertificateStatus
from fogbank.registry.registry import Registry


class IotCertificatesApi:
    """CreateKeysAndCertificate to DeleteCertificate."""

    def __init__(self, registry: Registry) -> None:
        self._certificates = registry.certificates
        self._account = registry.arns.account

    @operation("iot", "CreateKeysAndCertificate")
    async def create_keys_and_certificate(self, call: Call) -> Members:
        certificate, keys = await self._certificates.create_with_keys(active=bool(call.params.get("setAsActive")))
        key_pair = {"PublicKey": keys.public_key, "PrivateKey": keys.private_key}
        return {**self._created(certificate), "keyPair": key_pair}

    @operation("iot", "CreateCertificateFromCsr")
    async def create_certificate_from_csr(self, call: Call) -> Members:
        certificate = await self._certificates.create_from_request(
            call.params["certificateSigningRequest"], active=bool(call.params.get("setAsActive"))
        )
        return self._created(certificate)

    @operation("iot", "DescribeCertificate")
    async def describe_certificate(self, call: Call) -> Members:
        certificate = await self._certificates.describe(call.params["certificateId"])
        return {
            "certificateDescription": {
                **self._summary(certificate),
                "certificatePem": certificate.pem,
                "ownedBy": self._account,
                "lastModifiedDate": certificate.modified,
                "customerVersion": 1,  # counts transfers between accounts, and there is one account
                "transferData": {},
                "generationId": certificate.generation,
                "validity": {"notBefore": certificate.not_before, "notAfter": certificate.not_after},
            }
        }

    @operation("iot", "ListCertificates")
    async def list_certificates(self, call: Call) -> Members:
        paging = Paging(call.params.get("marker"), call.params.get("pageSize"))
        page = await self._certificates.page(paging, ascending=bool(call.params.get("ascendingOrder")))
        return {"certificates": [self._summary(one) for one in page.items], "nextMarker": page.next}

    @operation("iot", "UpdateCertificate")
    async def update_certificate(self, call: Call) -> Members:
        await self._certificates.update(call.params["certificateId"], CertificateStatus(call.params["newStatus"]))
        return {}

    @operation("iot", "DeleteCertificate")
    async def delete_certificate(self, call: Call) -> Members:
        await self._certificates.delete(call.params["certificateId"], force=bool(call.params.get("forceDelete")))
        return {}

    def _created(self, certificate: Certificate) -> Members:
        return {
            "certificateArn": self._certificates.arn(certificate.id),
            "certificateId": certificate.id,
            "certificatePem": certificate.pem,
        }

    def _summary(self, certificate: Certificate) -> Members:
        return {
            "certificateArn": self._certificates.arn(certificate.id),
            "certificateId": certificate.id,
            "status": certificate.status.value,
            "certificateMode": "DEFAULT",  # SNI_ONLY comes with certificates registered without a CA
            "creationDate": certificate.created,
        }
