"""Translates whatever a request ends in, once, into the response that its caller can read."""

import logging

from fogbank.awswire.http import Response
from fogbank.awswire.rest_json import unmodelled_error
from fogbank.errors import InternalFailure, ServiceError, ServiceUnavailable
from fogbank.gateway.exchange import Exchange
from fogbank.ports import StorageError

log = logging.getLogger(__name__)


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
    return unmodelled_error(error) if exchange.service is None else exchange.service.wire.serialise_error(error)


def _described(exchange: Exchange) -> str:
    """Without the query, which may hold a signature."""
    operation = f"{exchange.service.name}:{exchange.route.operation.name}, " if exchange.service is not None else ""
    return f"request {exchange.request_id} ({operation}{exchange.request.method} {exchange.request.path[:256]})"
