"""The IoT API of client certificates: made here, or elsewhere and registered."""

from fogbank.errors import InvalidRequest
from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.records import Certificate, CertificateStatus, Transfer
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging


class IotCertificatesApi:
    """CreateKeysAndCertificate to DeleteCertificate."""

    def __init__(self, registry: Registry) -> None:
        self._certificates = registry.certificates
        self._registration = registry.certificate_registration
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

    @operation("iot", "RegisterCertificate")
    async def register_certificate(self, call: Call) -> Members:
        certificate = await self._registration.register(
            call.params["certificatePem"], ca_pem=call.params.get("caCertificatePem"), status=_status(call.params)
        )
        return self._registered(certificate)

    @operation("iot", "RegisterCertificateWithoutCA")
    async def register_certificate_without_ca(self, call: Call) -> Members:
        certificate = await self._registration.register_without_ca(
            call.params["certificatePem"], status=_status(call.params)
        )
        return self._registered(certificate)

    @operation("iot", "DescribeCertificate")
    async def describe_certificate(self, call: Call) -> Members:
        certificate = await self._certificates.describe(call.params["certificateId"])
        return {
            "certificateDescription": {
                **summary(certificate, self._certificates.arn(certificate.id)),
                "caCertificateId": certificate.ca,
                "certificatePem": certificate.pem,
                "ownedBy": self._account,
                "previousOwnedBy": certificate.previous_owner,
                "lastModifiedDate": certificate.modified,
                "customerVersion": certificate.customer_version,
                "transferData": _transfer_data(certificate.transfer),
                "generationId": certificate.generation,
                "validity": {"notBefore": certificate.not_before, "notAfter": certificate.not_after},
            }
        }

    @operation("iot", "ListCertificates")
    async def list_certificates(self, call: Call) -> Members:
        paging = Paging(call.params.get("marker"), call.params.get("pageSize"))
        page = await self._certificates.page(paging, ascending=bool(call.params.get("ascendingOrder")))
        found = [summary(one, self._certificates.arn(one.id)) for one in page.items]
        return {"certificates": found, "nextMarker": page.next}

    @operation("iot", "UpdateCertificate")
    async def update_certificate(self, call: Call) -> Members:
        await self._certificates.update(call.params["certificateId"], CertificateStatus(call.params["newStatus"]))
        return {}

    @operation("iot", "DeleteCertificate")
    async def delete_certificate(self, call: Call) -> Members:
        await self._certificates.delete(call.params["certificateId"], force=bool(call.params.get("forceDelete")))
        return {}

    def _created(self, certificate: Certificate) -> Members:
        return {**self._registered(certificate), "certificatePem": certificate.pem}

    def _registered(self, certificate: Certificate) -> Members:
        return {"certificateArn": self._certificates.arn(certificate.id), "certificateId": certificate.id}


def summary(certificate: Certificate, arn: str) -> Members:
    """A certificate as lists show it."""
    return {
        "certificateArn": arn,
        "certificateId": certificate.id,
        "status": certificate.status.value,
        "certificateMode": certificate.mode.value,
        "creationDate": certificate.created,
    }


def _status(params: Members) -> CertificateStatus:
    """The status to register with: `status`, or what came before it, `setAsActive`. REGISTER_INACTIVE is an old name
    of INACTIVE (API reference). Raises InvalidRequest where they contradict each other."""
    status = CertificateStatus(params.get("status") or "INACTIVE")
    if status is CertificateStatus.REGISTER_INACTIVE:
        status = CertificateStatus.INACTIVE
    if not params.get("setAsActive"):
        return status
    if params.get("status") and status is not CertificateStatus.ACTIVE:
        raise InvalidRequest(f"setAsActive is true and status is {params['status']}: give one of them.")
    return CertificateStatus.ACTIVE


def _transfer_data(transfer: Transfer | None) -> Members:
    if transfer is None:
        return {}
    members = {
        "transferMessage": transfer.message,
        "rejectReason": transfer.reject_reason,
        "transferDate": transfer.started,
        "acceptDate": transfer.accepted,
        "rejectDate": transfer.rejected,
    }
    return {name: value for name, value in members.items() if value is not None}
