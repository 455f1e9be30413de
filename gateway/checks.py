"""System checks of what the environment sets: unsafe or contradictory settings are said before they cost a day."""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core import checks

from gateway import tokens

# Paths that read or stream events; no setting may open them to the world.
EVENT_PATHS = ("/operator/api/events", "/operator/api/v1/events")
TTL_LIMIT_SECONDS = 60


def register() -> None:
    checks.register(environment_tokens, checks.Tags.security)
    checks.register(public_entry_points, checks.Tags.security)
    checks.register(ticket_lifetime, checks.Tags.security)
    checks.register(unknown_variables)
    checks.register(debug_in_public, checks.Tags.security, deploy=True)


def environment_tokens(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    named = {"VX11_PRINCIPAL_TOKEN": settings.PRINCIPAL_TOKENS, "VX11_SERVICE_TOKEN": settings.SERVICE_TOKENS}
    found: list[checks.CheckMessage] = []
    for name, texts in named.items():
        if not settings.DEBUG and any(len(text) < tokens.LEAST_LENGTH for text in texts):
            hint = "Generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            message = f"{name} holds a token of fewer than {tokens.LEAST_LENGTH} characters."
            found.append(checks.Error(message, hint=hint, id="vx11.E001"))
        if any(tokens.looks_like_ticket(text) for text in texts):
            found.append(checks.Error(f"{name} holds a uuid, which would be taken for a ticket.", id="vx11.E002"))
    if set(settings.PRINCIPAL_TOKENS) & set(settings.SERVICE_TOKENS):
        found.append(checks.Error("One token is given as principal and as service token.", id="vx11.E003"))
    return found


def public_entry_points(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    opened = sorted(path for path in settings.PUBLIC_ENTRY_POINTS if path.startswith(EVENT_PATHS))
    message = "VX11_PUBLIC_ENTRY_POINTS would let anybody read events: {}"
    return [checks.Error(message.format(path), id="vx11.E004") for path in opened]


def ticket_lifetime(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    if settings.DEBUG or settings.SSE_TOKEN_TTL_SECONDS <= TTL_LIMIT_SECONDS:
        return []
    message = f"VX11_SSE_TOKEN_TTL_SECONDS is over {TTL_LIMIT_SECONDS}; a ticket in a URL must be short-lived."
    return [checks.Error(message, id="vx11.E005")]


def unknown_variables(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    return [checks.Warning(sentence, id="vx11.W001") for sentence in settings.ENVIRONMENT.strangers()]


def debug_in_public(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    local = {"localhost", "127.0.0.1", "[::1]"}
    if not settings.DEBUG or set(settings.ALLOWED_HOSTS) <= local:
        return []
    return [checks.Error("VX11_DEBUG is on while VX11_ALLOWED_HOSTS names a public host.", id="vx11.E006")]
