"""Addresses and keys of receivers, encrypted for the database by a key of this use alone."""

from gateway import encryption
from gateway.encryption import Unreadable

__all__ = ["Unreadable", "decrypt", "encrypt"]

# It is in every stored secret's key: with another one, none could be read.
_PURPOSE = b"vx11 addresses of deliveries 1"


def encrypt(text: str) -> str:
    return encryption.encrypt(text, purpose=_PURPOSE)


def decrypt(stored: str) -> str:
    """Raises Unreadable."""
    try:
        return encryption.decrypt(stored, purpose=_PURPOSE)
    except Unreadable:
        raise Unreadable("the address cannot be read: VX11_SECRET_KEY was changed; set it again") from None
