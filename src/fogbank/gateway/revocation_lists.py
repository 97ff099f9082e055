"""`POST /_fogbank/certificates/crl`: takes a CA's revocation list, in PEM or DER. AWS has no such operation."""

from fogbank.awswire.http import Response
from fogbank.gateway.pages import Page, Visit, json_response
from fogbank.registry.revocation import LARGEST_LIST, Revocation


class RevocationLists:
    """Answers with what a list has come to."""

    def __init__(self, revocation: Revocation) -> None:
        self._revocation = revocation

    @property
    def page(self) -> Page:
        """For whoever may revoke certificates."""
        return Page(
            method="POST",
            path="/_fogbank/certificates/crl",
            answer=self._answer,
            action="iot:UpdateCertificate",
            limit=LARGEST_LIST,
            event="RevokeCertificates",
        )

    async def _answer(self, visit: Visit) -> Response:
        """`registry.revocation.Revoked` as JSON. Raises CertificateValidation, InvalidRequest."""
        return json_response(await self._revocation.take(visit.request.body))
