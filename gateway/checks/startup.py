"""System checks at every start: settings that cannot work or are never safe, and variables that are not read.

gateway/checks/deploy.py has those for public installations. docs/operations.md lists all of them.
"""

from collections.abc import Sequence
from typing import Any

from django.apps.config import AppConfig
from django.conf import settings
from django.core import checks

from gateway import tokens, tracing
from gateway.checks import deploy, roles
from gateway.identity.lifetimes import longest_ticket_seconds

# Paths that read or stream events; no setting may open them to the world.
EVENT_PATHS = ("/operator/api/events", "/operator/api/v1/events")
TTL_LIMIT_SECONDS = 60
# The tag of these checks. Commands that do not serve run only these, because Django's own checks import every view.
OF_SETTINGS = ("settings",)


def register() -> None:
    for check in (environment_tokens, public_entry_points, ticket_lifetime, proxy_sign_in):
        checks.register(check, checks.Tags.security, *OF_SETTINGS)
    for check in (unknown_variables, front_end, traces, roles.roles):
        checks.register(check, *OF_SETTINGS)
    for check in (*deploy.ALL, roles.backend_url):
        checks.register(check, checks.Tags.security, deploy=True)


def environment_tokens(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    found: list[checks.CheckMessage] = []
    for name, texts in deploy.given_tokens().items():
        if not settings.DEBUG and any(len(text) < tokens.MIN_LENGTH for text in texts):
            message = f"{name} holds a token of fewer than {tokens.MIN_LENGTH} characters."
            found.append(checks.Error(message, hint=deploy.GENERATE, id="vx11.E001"))
        if any(tokens.looks_like_ticket(text) for text in texts):
            message = f"{name} holds a uuid, which would be taken for a ticket."
            found.append(checks.Error(message, hint=deploy.GENERATE, id="vx11.E002"))
    if set(settings.PRINCIPAL_TOKENS) & set(settings.SERVICE_TOKENS):
        hint = "Readers and publishers need tokens of their own; make one of them new."
        message = "One token is given as principal and as service token."
        found.append(checks.Error(message, hint=hint, id="vx11.E003"))
    return found


def public_entry_points(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    opened = sorted(path for path in settings.PUBLIC_ENTRY_POINTS if path.startswith(EVENT_PATHS))
    message = "VX11_PUBLIC_ENTRY_POINTS would make events public: {}"
    hint = "Take it out. Who reads events needs a token, or a ticket."
    return [checks.Error(message.format(path), hint=hint, id="vx11.E004") for path in opened]


def proxy_sign_in(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    if settings.PROXY_SIGN_IN is None or settings.TRUSTED_PROXIES:
        return []
    message = "VX11_PROXY_USER_HEADER is set, and VX11_TRUSTED_PROXIES is not, so the header is never believed."
    return [checks.Error(message, hint="Name the network of the proxy that signs people in.", id="vx11.E025")]


def ticket_lifetime(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    if settings.DEBUG or longest_ticket_seconds() <= TTL_LIMIT_SECONDS:
        return []
    message = f"VX11_SSE_TOKEN_TTL_SECONDS is over {TTL_LIMIT_SECONDS}; a ticket in a URL must be short-lived."
    hint = "Leave it out. A client gets a new ticket for every connection."
    return [checks.Error(message, hint=hint, id="vx11.E005")]


def unknown_variables(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    hint = "docs/settings.md lists every variable."
    return [checks.Warning(sentence, hint=hint, id="vx11.W001") for sentence in settings.ENVIRONMENT.unknown_names()]


def front_end(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    if settings.UI_DIR is None or (settings.UI_DIR / "index.html").is_file():
        return []
    message = f"VX11_UI_DIR names {settings.UI_DIR}, where no index.html can be read: /operator/ui/ answers 404."
    hint = "Name the folder that the front end's build has written (dist, build), or leave the variable out."
    return [checks.Warning(message, hint=hint, id="vx11.W011")]


def traces(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    if not settings.TRACES_URL or tracing.can_be_sent():
        return []
    return [checks.Error(tracing.MISSING, hint=tracing.ADVICE, id="vx11.E023")]
