"""The IoT API of certificates on their way to another account."""

from fogbank.gateway.call import Call, Members, operation
from fogbank.registry.records import Certificate
from fogbank.registry.registry import Registry
from fogbank.storage.paging import Paging


class IotCertificateTransfersApi:
    """TransferCertificate and what ends it."""

    def __init__(self, registry: Registry) -> None:
        self._transfers = registry.certificate_transfers
        self._certificates = registry.certificates

    @operation("iot", "TransferCertificate")
    async def transfer_certificate(self, call: Call) -> Members:
        arn = await self._transfers.begin(
            call.params["certificateId"], call.params["targetAwsAccount"], call.params.get("transferMessage")
        )
        return {"transferredCertificateArn": arn}

    @operation("iot", "AcceptCertificateTransfer")
    async def accept_certificate_transfer(self, call: Call) -> Members:
        await self._transfers.accept(call.params["certificateId"], active=bool(call.params.get("setAsActive")))
        return {}

    @operation("iot", "RejectCertificateTransfer")
    async def reject_certificate_transfer(self, call: Call) -> Members:
        await self._transfers.reject(call.params["certificateId"], call.params.get("rejectReason"))
        return {}

    @operation("iot", "CancelCertificateTransfer")
    async def cancel_certificate_transfer(self, call: Call) -> Members:
        await self._transfers.cancel(call.params["certificateId"])
        return {}

    @operation("iot", "ListOutgoingCertificates")
    async def list_outgoing_certificates(self, call: Call) -> Members:
        page = await self._transfers.outgoing(
            Paging(call.params.get("marker"), call.params.get("pageSize")),
            ascending=bool(call.params.get("ascendingOrder")),
        )
        return {"outgoingCertificates": [self._outgoing(one) for one in page.items], "nextMarker": page.next}

    def _outgoing(self, certificate: Certificate) -> Members:
        transfer = certificate.transfer
        assert transfer is not None, "only those that are being transferred are listed"
        return {
            "certificateArn": self._certificates.arn(certificate.id),
            "certificateId": certificate.id,
            "transferredTo": transfer.target,
            "transferDate": transfer.started,
            "transferMessage": transfer.message,
            "creationDate": certificate.created,
        }
