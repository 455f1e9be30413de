"""Token texts: mint, digest, compare, recognise. No Django, no I/O."""

import hashlib
import hmac
import os
import re
import secrets

PREFIXES = {"principal": "vx11p_", "service": "vx11s_"}
# 32 random bytes cannot be guessed, so an unsalted digest is safe to store.
SECRET_BYTES = 32
# Public ids name a token in logs and audit rows; 40 bits are enough to tell rows apart.
PUBLIC_ID_BYTES = 5
# Tokens of the environment must have this length, and must not look like a ticket.
MIN_LENGTH = 16

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def mint(kind: str) -> str:
    """A new token text of kind "principal" or "service". Shown once, stored only as its digest."""
    return PREFIXES[kind] + secrets.token_urlsafe(SECRET_BYTES)


def mint_ticket() -> str:
    """A new ticket text: uuid4, 36 characters, 122 random bits."""
    return new_uuid()


def new_uuid() -> str:
    """A random uuid (version 4) as text. As str(uuid.uuid4()), which takes three times as long."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def new_public_id(letter: str) -> str:
    """A name for a token that is safe to log, e.g. "p-3f9a0c12de"; the letter tells its kind."""
    return f"{letter}-{secrets.token_hex(PUBLIC_ID_BYTES)}"


def digest(text: str) -> str:
    """SHA-256 in hex: how tokens are stored and looked up."""
    return hashlib.sha256(text.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compare two secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def looks_like_ticket(text: str) -> bool:
    return _UUID.fullmatch(text) is not None
