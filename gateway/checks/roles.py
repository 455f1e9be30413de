"""System checks of VX11_ROLE: what a gateway needs to reach its backend, and variables that a role does not read."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from gateway.checks.deploy import Apps, Messages, is_here

# The part of a gateway's time limit for its backend that storing a message and its answer takes.
CHAT_MARGIN_MS = 500


def roles(app_configs: Apps, **kwargs: Any) -> Messages:
    """Errors: the process could not answer, or not as its peers do. Warnings: a variable that is set is not read."""
    found: Messages = []
    if settings.ROLE == "gateway" and not settings.BACKEND_URL:
        hint = "Set it to the backend, e.g. http://operator-backend:8000."
        found.append(checks.Error("VX11_ROLE is gateway, and VX11_BACKEND_URL is not set.", hint=hint, id="vx11.E020"))
    if settings.ROLE == "gateway" and not settings.SERVICE_TOKENS:
        hint = "Issue one: manage.py issue_token --kind service --scope operator:forward --name NAME"
        message = "VX11_ROLE is gateway, and VX11_SERVICE_TOKEN is not set."
        found.append(checks.Error(message, hint=hint, id="vx11.E021"))
    if settings.ROLE != "all" and not settings.REDIS_URL:
        message = f"VX11_ROLE is {settings.ROLE}, and VX11_REDIS_URL is not set: gateway and backend share Redis."
        hint = "Set it for all of them, and one VX11_DATABASE_URL; or leave VX11_ROLE out."
        found.append(checks.Error(message, hint=hint, id="vx11.E022"))
    if settings.BACKEND_URL and settings.ROLE != "gateway":
        message = f"VX11_BACKEND_URL is set, and VX11_ROLE is {settings.ROLE}: nothing is forwarded."
        found.append(checks.Warning(message, hint="Set VX11_ROLE=gateway, or take it out.", id="vx11.W020"))
    if settings.ROLE == "gateway" and settings.BACKEND_URL:
        found.extend(_unfit_certificates())
    if settings.ROLE == "backend" and settings.CHAT_UPSTREAM_URL:
        found.extend(_waits_too_long())
    return found


def _unfit_certificates() -> Messages:
    # As below.
    from gateway.backend.client import tls_for

    given = (settings.BACKEND_TLS_CA, settings.BACKEND_TLS_CERT, settings.BACKEND_TLS_KEY)
    if any(given) and urlsplit(settings.BACKEND_URL).scheme != "https":
        message = "VX11_BACKEND_TLS_... is set, and VX11_BACKEND_URL is not https: no certificate is shown or checked."
        return [checks.Error(message, hint="Use https://, or take them out.", id="vx11.E024")]
    if settings.BACKEND_TLS_KEY and not settings.BACKEND_TLS_CERT:
        message = "VX11_BACKEND_TLS_KEY is set, and VX11_BACKEND_TLS_CERT is not."
        return [checks.Error(message, hint="Set both; a file may hold both.", id="vx11.E024")]
    try:
        tls_for(settings.BACKEND_URL)
    except OSError as error:
        message = f"The files of VX11_BACKEND_TLS_CA, _CERT and _KEY cannot be used: {type(error).__name__}."
        hint = "PEM files that the server can read, a key without a passphrase, and that of this certificate."
        return [checks.Error(message, hint=hint, id="vx11.E024")]
    return []


def _waits_too_long() -> Messages:
    # Imported here: commands run these checks too, and do not need an HTTP client.
    from gateway.backend.client import ANSWER_SECONDS

    most_ms = ANSWER_SECONDS * 1000 - CHAT_MARGIN_MS
    if most_ms < settings.CHAT_UPSTREAM_WAIT_MS:
        message = f"VX11_CHAT_UPSTREAM_WAIT_MS is over {most_ms:.0f}: the gateway gives up before chat is answered."
        hint = f"Gateways wait {ANSWER_SECONDS:g} s in all; leave it out for its default."
        return [checks.Warning(message, hint=hint, id="vx11.W021")]
    return []


def backend_url(app_configs: Apps, **kwargs: Any) -> Messages:
    parts = urlsplit(settings.BACKEND_URL)
    if settings.ROLE != "gateway" or parts.scheme != "http" or is_here(parts.hostname):
        return []
    message = "VX11_BACKEND_URL sends the service token, and what operators write, in the clear to another host."
    hint = "Use https://, or let a tunnel or a network of its own carry it."
    return [checks.Warning(message, hint=hint, id="vx11.W022")]
