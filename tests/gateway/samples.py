"""Tokens and users for unit tests."""

import secrets
from typing import Any

from django.contrib.auth.models import User

from gateway.models import AccessToken
from gateway.scopes import DEFAULT_SCOPES


def issue(kind: str = "principal", **fields: Any) -> tuple[AccessToken, str]:
    """A stored token with the usual rights, and its text."""
    return AccessToken.issue(kind, f"test {kind}", **{"scopes": DEFAULT_SCOPES[kind], **fields})


def create_user(name: str = "") -> User:
    # No password: hashing one takes longer than most tests.
    return User.objects.create(username=name or f"user-{secrets.token_hex(4)}", password="!")
