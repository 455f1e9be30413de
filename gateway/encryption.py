"""Secrets of others, encrypted for the database: a dump of it does not let its reader use them.

The key is derived from VX11_SECRET_KEY and from what it is for. After VX11_SECRET_KEY was changed, stored secrets
cannot be read, and are set again.
"""

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class Unreadable(Exception):
    """It was encrypted with another VX11_SECRET_KEY, or is damaged: set it again."""


def encrypt(text: str, *, purpose: bytes) -> str:
    return _fernet(settings.SECRET_KEY, purpose).encrypt(text.encode()).decode()


def decrypt(stored: str, *, purpose: bytes) -> str:
    """Raises Unreadable."""
    try:
        return _fernet(settings.SECRET_KEY, purpose).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise Unreadable("the secret cannot be read: VX11_SECRET_KEY was changed; set it again") from None


@functools.lru_cache(maxsize=8)
def _fernet(secret_key: str, purpose: bytes) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
