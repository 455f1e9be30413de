"""Bodies of webhooks: JSON, or the form in which GitHub packs it unless it is told otherwise. Pure: no I/O."""

from urllib.parse import parse_qsl

import orjson

from gateway.http.errors import ApiError
from gateway.http.headers import RawHeaders
from receivers.intake import Received, Sender
from receivers.json_documents import media_type_of, read_exact_json
from receivers.webhooks import mapping, signatures
from receivers.webhooks.mapping import Delivery, Hook

FORM_TYPE = "application/x-www-form-urlencoded"
FORM_FIELD = "payload"


def read_delivery(body: bytes, content_type: str, raw: RawHeaders, hook: Hook, sender: Sender) -> Received:
    """The event of a request whose sender is known. Raises ApiError."""
    return mapping.received_of(delivery_of(body, content_type, raw, hook), hook, sender)


def delivery_of(body: bytes, content_type: str, raw: RawHeaders, hook: Hook) -> Delivery:
    """Raises ApiError."""
    media_type = media_type_of(content_type)
    if media_type == FORM_TYPE and hook.way == signatures.GITHUB:
        body = _unpacked_form(body)
    elif media_type != "application/json" and not media_type.endswith("+json"):
        raise ApiError("unsupported_media_type", title="A webhook sends application/json.")
    # Counted and checked first; the second reading then cannot fail.
    exact = read_exact_json(body)
    delivery_id = signatures.delivery_id(hook.way, raw)
    return Delivery(exact, orjson.loads(body), mapping.shown_headers(raw), delivery_id)


def _unpacked_form(body: bytes) -> bytes:
    try:
        pairs = parse_qsl(body.decode("ascii"), max_num_fields=2, strict_parsing=True, errors="strict")
    except ValueError:
        pairs = []
    if len(pairs) != 1 or pairs[0][0] != FORM_FIELD:
        raise ApiError("bad_request", title=f"The form has one field, {FORM_FIELD}.")
    return pairs[0][1].encode()
