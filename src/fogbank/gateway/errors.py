"""Translates whatever a request ends in, once, into the response that its caller can read."""

import logging

import msgspec

from fogbank.awswire import query
from fogbank.awswire.http import Response
from fogbank.awswire.rest_json import unmodelled_error
from fogbank.awswire.routes import QUERY_SERVICES
from fogbank.errors import InternalFailure, ServiceError, ServiceUnavailable
from fogbank.gateway.exchange import Exchange
from fogbank.ports import StorageError

log = logging.getLogger(__name__)

DATA_PLANE = "iot-data"
SHADOWS = frozenset({"GetThingShadow", "UpdateThingShadow", "DeleteThingShadow"})
"""Operations whose errors are documents as those on shadows' topics are (device-shadow-document, "Error response")."""


def response_to(error: Exception, exchange: Exchange) -> Response:
    """The response for an error. One that nobody foresaw is logged with its traceback; its caller learns no more than
    the request ID under which the log has it. Who cannot even name an operation is logged too, for the operator's eyes.
    """
    if isinstance(error, StorageError):  # which the storage has logged, once for all whom it concerns
        error = ServiceUnavailable("The platform cannot write to its storage at the moment; try again later.")
    elif not isinstance(error, ServiceError):
        log.error("%s failed", _described(exchange), exc_info=error)
        error = InternalFailure(f"An internal error occurred; the log has it under request {exchange.request_id}.")
    elif exchange.service is None:
        log.info("%s refused: %s: %s", _described(exchange), error.code, error.message)
    service = exchange.service
    if service is not None:
        response = service.serialise_error(error, exchange.request_id)
    elif exchange.claim is not None and exchange.claim.service in QUERY_SERVICES:
        response = query.unmodelled_error(error, exchange.request_id)
    else:
        response = unmodelled_error(error)
    # whoever has not signed can mean the data plane alone
    is_data_plane = exchange.claim is None if service is None else service.name == DATA_PLANE
    if service is not None and is_data_plane and exchange.route.operation.name in SHADOWS:
        return _with(response, code=response.status, traceId=exchange.request_id)
    return _with(response, traceId=exchange.request_id) if is_data_plane else response


def _with(response: Response, **members: str | int) -> Response:
    """`{"message": ..., "traceId": ...}`, as the data plane answers (developer guide, "HTTPS")."""
    told = msgspec.json.decode(response.body) | members
    return msgspec.structs.replace(response, body=msgspec.json.encode(told))


def _described(exchange: Exchange) -> str:
    """Without the query, which may hold a signature."""
    operation = f"{exchange.service.name}:{exchange.route.operation.name}, " if exchange.service is not None else ""
    return f"request {exchange.request_id} ({operation}{exchange.request.method} {exchange.request.path[:256]})"
