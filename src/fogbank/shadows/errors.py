"""Errors that only shadows have, and the texts of AWS's table (developer guide, device-shadow-error-messages)."""

from fogbank.errors import ServiceError


class UnsupportedDocumentEncoding(ServiceError):
    """The payload is not UTF-8."""

    code = "UnsupportedDocumentEncodingException"
    status = 415


INVALID_JSON = "Invalid JSON"
MISSING_STATE = "Missing required node: state"
STATE_NOT_OBJECT = "State node must be an object"
SECTION_NOT_OBJECT = {"desired": "Desired node must be an object", "reported": "Reported node must be an object"}
INVALID_VERSION = "Invalid version"
INVALID_CLIENT_TOKEN = "Invalid clientToken"  # noqa: S105 - an error text
TOO_DEEP = "JSON contains too many levels of nesting; maximum is {depth}"
"""AWS's own text says 6, where its quota page has 8 levels: see `ShadowLimits.depth_told`."""
INVALID_NODE = "State contains an invalid node"
NO_SHADOW = "No shadow exists with name: '{name}'"
"""Of the classic shadow, whose name is the thing's."""
VERSION_CONFLICT = "Version conflict"
TOO_LARGE = "The payload exceeds the maximum size allowed"
UNSUPPORTED_ENCODING = "Unsupported documented encoding; supported encoding is UTF-8"
TOO_MANY_REQUESTS = "Too Many Requests"
INTERNAL_FAILURE = "Internal service failure"
