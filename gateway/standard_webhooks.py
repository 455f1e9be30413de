"""Signatures of webhooks, both ways, as Standard Webhooks specifies (https://www.standardwebhooks.com). Pure.

The receiver computes the same over id, time and body, and compares; by the time it refuses what is replayed, and by the
id it drops what comes a second time.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

PREFIX = "whsec_"
# HMAC-SHA256 with a shared secret. v1a, with a public key, is not taken.
SIGNATURE_VERSION = "v1"
# A receiver compares no more of them in one request.
SIGNATURES_LIMIT = 8
SECRET_BYTES = 32
# The specification wants from 24 to 64.
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64


class BadSecret(ValueError):
    """The text says which form a secret has."""


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def key_of(secret: str) -> bytes:
    """Raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        # Also binascii.Error, and what is not ASCII.
        key = b""
    if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise BadSecret(f"{PREFIX} and base64 of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")
    return key


def headers_for(secret: str, *, message_id: str, at_seconds: int, body: bytes) -> Mapping[str, str]:
    signature = _signature(key_of(secret), f"{message_id}.{at_seconds}.".encode(), body)
    return {"webhook-id": message_id, "webhook-timestamp": str(at_seconds), "webhook-signature": signature}


def is_signed(secret: str, *, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Whether one of the signatures (there are several while a secret is replaced) is right. The time is not judged.

    Raises BadSecret.
    """
    expected = _signature(key_of(secret), f"{message_id}.{timestamp}.".encode(), body).encode()
    given = signatures.split(" ")[:SIGNATURES_LIMIT]
    # Each is compared, so that the time taken does not say which of them was right.
    return any([hmac.compare_digest(one.encode(), expected) for one in given])


def _signature(key: bytes, prefix: bytes, body: bytes) -> str:
    made = hmac.new(key, prefix, hashlib.sha256)
    made.update(body)
    return f"{SIGNATURE_VERSION},{base64.b64encode(made.digest()).decode()}"
