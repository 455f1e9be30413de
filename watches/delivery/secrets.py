"""Addresses and keys of others, encrypted for the database: a dump of it does not let its reader send anything.

The key is derived from VX11_SECRET_KEY. After that was changed, stored secrets cannot be read, and are set again.
"""

import base64
import functools

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

# Of this use: other uses of the secret key get another key.
_PURPOSE = b"vx11 addresses of deliveries 1"


class Unreadable(Exception):
    """It was encrypted with another VX11_SECRET_KEY, or is damaged: set it again."""


def encrypt(text: str) -> str:
    return _fernet(settings.SECRET_KEY).encrypt(text.encode()).decode()


def decrypt(stored: str) -> str:
    """Raises Unreadable."""
    try:
        return _fernet(settings.SECRET_KEY).decrypt(stored.encode()).decode()
    except InvalidToken:
        raise Unreadable("the address cannot be read: VX11_SECRET_KEY was changed; set it again") from None


@functools.lru_cache(maxsize=4)
def _fernet(secret_key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
