"""Signatures of webhooks, as the Standard Webhooks specification says (https://www.standardwebhooks.com). Pure.

The receiver computes the same over id, time and body, and compares; by the time it refuses what is replayed, and by the
id it drops what comes a second time.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping

PREFIX = "whsec_"
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
    signed = f"{message_id}.{at_seconds}.".encode() + body
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_seconds),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
