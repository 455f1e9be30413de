"""Who sent a webhook: the four ways in which senders prove it. Pure: no I/O.

Each compares in constant time. A header that comes twice proves nothing: a proxy and this server might read different
ones of the two.
"""

import hashlib
import hmac
from datetime import datetime

from gateway import standard_webhooks
from gateway.http.errors import ApiError
from gateway.http.headers import RawHeaders, all_values
from gateway.standard_webhooks import BadSecret

# Each is the value of Webhook.signature; the last is checked as everywhere else, by the directory of tokens.
GITHUB, STANDARD, GITLAB, TOKEN = "github", "standard", "gitlab", "token"
SIGNED = (GITHUB, STANDARD, GITLAB)
# Standard Webhooks: a delivery that is older, or from so far ahead, may be a replay. Senders sign each attempt anew.
TOLERANCE_SECONDS = 300
# Shorter ones are guessed offline by who has seen one delivery.
SECRET_CHARACTERS_MIN, SECRET_CHARACTERS_MAX = 16, 200
# Headers that prove, and those that name the delivery, by way.
PROOFS = {GITHUB: b"x-hub-signature-256", STANDARD: b"webhook-signature", GITLAB: b"x-gitlab-token"}
DELIVERY_IDS = {
    GITHUB: (b"x-github-delivery",),
    STANDARD: (b"webhook-id",),
    # Older ones of GitLab send no Idempotency-Key.
    GITLAB: (b"idempotency-key", b"x-gitlab-event-uuid"),
    TOKEN: (b"idempotency-key", b"webhook-id"),
}
ID_CHARACTERS_MAX = 256


class NotProven(Exception):
    """The text says why, for the audit."""


def check_secret(way: str, secret: str) -> None:
    """Raises ValueError that says which form the secret has to have."""
    if way == STANDARD:
        standard_webhooks.key_of(secret)
    elif not SECRET_CHARACTERS_MIN <= len(secret) <= SECRET_CHARACTERS_MAX:
        raise ValueError(f"from {SECRET_CHARACTERS_MIN} to {SECRET_CHARACTERS_MAX} characters")
    elif not secret.isascii() or not secret.isprintable():
        raise ValueError("ASCII characters that can be printed")


def check(way: str, secret: str, headers: RawHeaders, body: bytes, *, now: datetime) -> None:
    """Raises NotProven; ApiError (missing_token) if nothing was sent that could prove anything."""
    if not secret:
        raise NotProven("no secret is set")
    proof = _only(headers, PROOFS[way])
    if not proof:
        raise ApiError("missing_token", title=f"Send the header {PROOFS[way].decode()}.")
    if way == GITHUB:
        expected = f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        is_right = hmac.compare_digest(proof.encode(), expected.encode())
    elif way == GITLAB:
        is_right = hmac.compare_digest(proof.encode(), secret.encode())
    else:
        is_right = _is_standard(secret, proof, headers, body, now)
    if not is_right:
        raise NotProven("the signature is not that of this body and secret")


def delivery_id(way: str, headers: RawHeaders) -> str:
    """What the sender calls this delivery, the same when it tries again; "" without one. Raises ApiError."""
    for name in DELIVERY_IDS[way]:
        if found := _only(headers, name):
            if len(found) > ID_CHARACTERS_MAX:
                raise ApiError("validation_error", errors={name.decode(): [f"at most {ID_CHARACTERS_MAX} characters"]})
            return found
    return ""


def _is_standard(secret: str, proof: str, headers: RawHeaders, body: bytes, now: datetime) -> bool:
    message_id, timestamp = _only(headers, b"webhook-id"), _only(headers, b"webhook-timestamp")
    if not message_id or len(message_id) > ID_CHARACTERS_MAX:
        raise NotProven("webhook-id is missing or too long")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise NotProven("webhook-timestamp is no time in seconds")
    try:
        is_right = standard_webhooks.is_signed(
            secret, message_id=message_id, timestamp=timestamp, signatures=proof, body=body
        )
    except BadSecret:
        raise NotProven("the secret has another form") from None
    if is_right and abs(int(timestamp) - now.timestamp()) > TOLERANCE_SECONDS:
        raise NotProven(f"it was signed more than {TOLERANCE_SECONDS} s from now")
    return is_right


def _only(headers: RawHeaders, name: bytes) -> str:
    """The value of a header; "" without one. Raises ApiError for two."""
    values = all_values(headers, name)
    if len(values) > 1:
        raise ApiError("ambiguous_credentials", title=f"The header {name.decode()} came more than once.")
    return values[0] if values else ""
