"""JSON of request bodies in formats that are not ours: bounded before it is parsed, as that of our own API. Pure."""

import re
from typing import Any

import orjson

from gateway.http.errors import ApiError
from gateway.http.json_bodies import PUBLISH_LIMIT_VALUES, refuse_costly
from vx11_client import exact_json

_CHARSET = re.compile(r"""charset\s*=\s*"?([^\s;"]+)"?""", re.IGNORECASE)


def media_type_of(content_type: str) -> str:
    """The media type without parameters, in lower case. Raises ApiError for a charset that is not UTF-8."""
    media_type, _, parameters = content_type.partition(";")
    charset = _CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise ApiError("unsupported_media_type", title="Send texts in UTF-8.")
    return media_type.strip(" \t").lower()


def read_json(body: bytes) -> Any:
    """Any JSON value; numbers with a fraction are doubles. Raises ApiError: malformed_json, payload_too_large."""
    refuse_costly(body, limit_values=PUBLISH_LIMIT_VALUES)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ApiError("malformed_json", title=f"The body is not valid JSON: {_where(error)}.") from None


def read_exact_json(body: bytes) -> Any:
    """As read_json, but each key once, and numbers as they are written: for data of a sender's own."""
    refuse_costly(body, limit_values=PUBLISH_LIMIT_VALUES)
    try:
        # Which knows halves of surrogate pairs.
        orjson.loads(body)
        return exact_json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ApiError("malformed_json") from None


def _where(error: orjson.JSONDecodeError) -> str:
    return f"line {error.lineno}, column {error.colno}"
