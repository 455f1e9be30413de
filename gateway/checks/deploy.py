"""System checks of `manage.py check --deploy`: settings that are fine on one's own machine and unsafe in public.

An error means that an attacker can get in, or that a secret is exposed. A warning means that one line of defence is
missing, which may have its reasons. Neither keeps a server from starting.
"""

import ipaddress
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps.config import AppConfig
from django.conf import settings
from django.core import checks
from django.http.request import validate_host

Apps = Sequence[AppConfig] | None
Messages = list[checks.CheckMessage]

GENERATE = "Generate one: python3 -c 'import secrets; print(secrets.token_urlsafe(64))'"
# Django's own minimum.
SECRET_KEY_MIN_LENGTH = 50
# Of 16 random hexadecimal digits about ten are different; fewer than six occur once in ten thousand times.
MIN_DIFFERENT_CHARACTERS = 6
# A proxy stands in a known network; in a wider one, hosts that are not ours could claim any client address.
WIDEST_PROXIES_PREFIX = {4: 8, 6: 7}
# Endpoints that may be public: they tell the state of the system, give no access to events, and change nothing.
MAY_BE_PUBLIC = re.compile(r"/metrics|/operator/api(/v1)?/(status|modules(/[^/]+)?|(chat/)?window/status|windows)")
RATES = ("TOKEN_RATE", "FAILED_CREDENTIAL_RATE", "LOGIN_RATE", "PUBLISH_RATE", "CHAT_RATE", "CHANGE_RATE")
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
# A theft is often noticed only after days.
AUDIT_MIN_DAYS = 7

_DEFAULT_LOOKING = re.compile(
    r"(?i)change.?me|vx11.local.token|secret|passw|example|default|placeholder|insecure|your.?token|test.?token|12345"
)
_REPEATED = re.compile(r"(.{1,16}?)\1+", re.DOTALL)


def given_tokens() -> dict[str, list[str]]:
    """The tokens of the environment, by the variable that gives them."""
    return {"VX11_PRINCIPAL_TOKEN": settings.PRINCIPAL_TOKENS, "VX11_SERVICE_TOKEN": settings.SERVICE_TOKENS}


def is_guessable(text: str) -> bool:
    """Whether it looks like a placeholder, or repeats itself."""
    few = len(set(text)) < MIN_DIFFERENT_CHARACTERS
    return few or bool(_DEFAULT_LOOKING.search(text) or _REPEATED.fullmatch(text))


def is_here(host: str | None) -> bool:
    """Whether that host is this machine; a path of a Unix socket is."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def debug(app_configs: Apps, **kwargs: Any) -> Messages:
    if not settings.DEBUG:
        return []
    return [checks.Error("VX11_DEBUG is on: errors show the program's insides.", hint="Leave it out.", id="vx11.E006")]


def secret_key(app_configs: Apps, **kwargs: Any) -> Messages:
    found: Messages = []
    if len(settings.SECRET_KEY) < SECRET_KEY_MIN_LENGTH or is_guessable(settings.SECRET_KEY):
        message = "VX11_SECRET_KEY is short or guessable: a person who guesses it can make a session of any user."
        found.append(checks.Error(message, hint=GENERATE, id="vx11.E007"))
    for name, texts in given_tokens().items():
        if settings.SECRET_KEY in texts:
            message = f"VX11_SECRET_KEY is also a token in {name}."
            found.append(checks.Error(message, hint=GENERATE, id="vx11.E008"))
    return found


def guessable_tokens(app_configs: Apps, **kwargs: Any) -> Messages:
    message = "{} holds a token that looks like a default, or repeats itself."
    named = [name for name, texts in given_tokens().items() if any(map(is_guessable, texts))]
    return [checks.Error(message.format(name), hint=GENERATE, id="vx11.E009") for name in named]


def public_url(app_configs: Apps, **kwargs: Any) -> Messages:
    parts = urlsplit(settings.PUBLIC_URL)
    if parts.scheme != "https" or not parts.hostname:
        hint = "Set it to where people reach this, as https://operator.example.org: cookies are then sent by TLS only."
        return [checks.Error("VX11_PUBLIC_URL is not set to an https URL.", hint=hint, id="vx11.E010")]
    if validate_host(parts.hostname, settings.ALLOWED_HOSTS):
        return []
    hint = f"Add {parts.hostname} to VX11_ALLOWED_HOSTS."
    return [checks.Warning("VX11_ALLOWED_HOSTS does not name the host of VX11_PUBLIC_URL.", hint=hint, id="vx11.W010")]


def any_host(app_configs: Apps, **kwargs: Any) -> Messages:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    hint = "Name the hosts that people use."
    return [checks.Error("VX11_ALLOWED_HOSTS answers every host name.", hint=hint, id="vx11.E011")]


def origins(app_configs: Apps, **kwargs: Any) -> Messages:
    hint = "Write each as its browser sends it: https://console.example.org, without a path."
    message = "VX11_ALLOWED_ORIGINS holds {!r}, which is no origin to be trusted."
    bad = sorted(origin for origin in settings.ALLOWED_ORIGINS if not _is_fit(origin))
    return [checks.Error(message.format(origin), hint=hint, id="vx11.E012") for origin in bad]


def _is_fit(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        exact = origin == f"{parts.scheme}://{parts.netloc}" and parts.port != 0
    except ValueError:
        return False
    if not exact or not parts.hostname or "*" in origin or "@" in origin or origin != origin.lower():
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and settings.DEBUG and is_here(parts.hostname))


def proxies(app_configs: Apps, **kwargs: Any) -> Messages:
    networks = [_plain(network) for network in settings.TRUSTED_PROXIES if not isinstance(network, str)]
    # Collapsed first: two networks of /1 together are the whole internet.
    fours = ipaddress.collapse_addresses([n for n in networks if isinstance(n, ipaddress.IPv4Network)])
    sixes = ipaddress.collapse_addresses([n for n in networks if isinstance(n, ipaddress.IPv6Network)])
    together: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [*fours, *sixes]
    wide = [network for network in together if network.prefixlen < WIDEST_PROXIES_PREFIX[network.version]]
    message = "VX11_TRUSTED_PROXIES trusts {}: every host there can claim any client address."
    hint = "Name the proxy's own address, as 10.0.0.5/32."
    return [checks.Error(message.format(network), hint=hint, id="vx11.E013") for network in wide]


def _plain(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The IPv4 network that an IPv6 one may stand for (::ffff:0:0/96 is all of them)."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return network if mapped is None else ipaddress.ip_network((mapped, max(0, network.prefixlen - 96)), strict=False)


def redis(app_configs: Apps, **kwargs: Any) -> Messages:
    parts = urlsplit(settings.REDIS_URL)
    sentinels: list[str | None] = [host for host, _ in settings.REDIS.sentinels] if settings.REDIS else []
    if not settings.REDIS_URL or parts.scheme == "unix" or all(map(is_here, sentinels or [parts.hostname])):
        return []
    if not parts.password:
        message = "VX11_REDIS_URL names another host and no password: every client that reaches it can make tickets."
        hint = "Set requirepass there, and write redis://:PASSWORD@HOST:6379/0, best by VX11_REDIS_URL_FILE."
        return [checks.Error(message, hint=hint, id="vx11.E014")]
    if parts.scheme == "rediss":
        return []
    hint = "Use rediss://, or let a tunnel or a network of its own carry it."
    return [checks.Warning("VX11_REDIS_URL sends its password in the clear.", hint=hint, id="vx11.W006")]


def chat_upstream(app_configs: Apps, **kwargs: Any) -> Messages:
    parts = urlsplit(settings.CHAT_UPSTREAM_URL)
    if parts.scheme != "http" or not settings.CHAT_UPSTREAM_TOKEN or is_here(parts.hostname):
        return []
    message = (
        "VX11_CHAT_UPSTREAM_URL is http to another host: its token and what operators write go there in the clear."
    )
    hint = "Use https://, or let a tunnel or a network of its own carry it."
    return [checks.Warning(message, hint=hint, id="vx11.W012")]


def database(app_configs: Apps, **kwargs: Any) -> Messages:
    config = settings.DATABASES["default"]
    mode = config.get("OPTIONS", {}).get("sslmode") or os.environ.get("PGSSLMODE")
    if "postgresql" not in config["ENGINE"] or is_here(config.get("HOST")) or mode in ENCRYPTED:
        return []
    message = "VX11_DATABASE_URL names another host and does not insist on TLS."
    hint = "Add ?sslmode=verify-full with ?sslrootcert=..., or at least ?sslmode=require."
    return [checks.Warning(message, hint=hint, id="vx11.W007")]


def files(app_configs: Apps, **kwargs: Any) -> Messages:
    message = "Every user of this machine can read or change {}."
    return [
        checks.Error(message.format(path), hint=f"chmod o= {path}", id="vx11.E015") for path in sorted(open_to_others())
    ]


def open_to_others() -> Iterator[Path]:
    """The data folder and the files with secrets, as far as other users may enter, read or change them."""
    named = [path for name, path in os.environ.items() if name.startswith("VX11_") and name.endswith("_FILE") and path]
    for path in {Path(settings.DATA_DIR), *map(Path, named)}:
        if path.exists() and path.stat().st_mode & stat.S_IRWXO:
            yield path


def entry_points(app_configs: Apps, **kwargs: Any) -> Messages:
    found: Messages = []
    message = "VX11_PUBLIC_ENTRY_POINTS makes {} public."
    hint = "Only status, modules and window/status may be."
    # Paths that read events are refused in every set-up, by a check with an id of its own.
    for path in sorted(settings.PUBLIC_ENTRY_POINTS):
        if not MAY_BE_PUBLIC.fullmatch(path):
            found.append(checks.Error(message.format(path), hint=hint, id="vx11.E016"))
    if "/metrics" in settings.PUBLIC_ENTRY_POINTS:
        hint = "Give Prometheus a token with metrics:read, or let the proxy refuse /metrics from outside."
        found.append(checks.Warning("/metrics is public.", hint=hint, id="vx11.W002"))
    return found


def reusable_tickets(app_configs: Apps, **kwargs: Any) -> Messages:
    if settings.SSE_TOKEN_SINGLE_USE:
        return []
    message = "VX11_SSE_TOKEN_SINGLE_USE is false: a ticket seen in a log opens a stream for as long as it lives."
    hint = "Only for old clients that reconnect with their ticket; take it out when they are gone."
    return [checks.Warning(message, hint=hint, id="vx11.W003")]


def limits(app_configs: Apps, **kwargs: Any) -> Messages:
    message = "VX11_{} is empty: one caller can take everything."
    hint = "Leave the variable out for its default, or set a rate that ordinary use does not reach."
    found: Messages = [
        checks.Warning(message.format(name), hint=hint, id="vx11.W004") for name in RATES if not getattr(settings, name)
    ]
    if not settings.MAX_STREAMS_PER_PRINCIPAL:
        message = "VX11_MAX_STREAMS_PER_PRINCIPAL is 0: one caller can take every stream."
        found.append(checks.Warning(message, hint="Set a number, e.g. 1000.", id="vx11.W005"))
    return found


def log_level(app_configs: Apps, **kwargs: Any) -> Messages:
    if settings.ENVIRONMENT.text("VX11_LOG_LEVEL").upper() != "DEBUG":
        return []
    message = "VX11_LOG_LEVEL is DEBUG: libraries then log what they send and receive."
    return [checks.Warning(message, hint="Use INFO.", id="vx11.W008")]


def audit_retention(app_configs: Apps, **kwargs: Any) -> Messages:
    if settings.AUDIT_RETENTION_DAYS >= AUDIT_MIN_DAYS:
        return []
    message = f"VX11_AUDIT_RETENTION_DAYS is under {AUDIT_MIN_DAYS}: a theft is often found out later."
    return [checks.Warning(message, hint="Keep at least a week, better 90 days.", id="vx11.W009")]


ALL = (
    debug, secret_key, guessable_tokens, public_url, any_host, origins, proxies, redis, chat_upstream, database, files,
    entry_points, reusable_tickets, limits, log_level, audit_retention,
)  # fmt: skip
