"""Django's settings, all of them from the environment. docs/settings.md says what each variable means."""

import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vx11_site import __version__, installation, minified, release
from vx11_site.config import secret_key, sign_in
from vx11_site.config.environment import BadEnvironment, Environment
from vx11_site.config.postgres import PostgresAccess
from vx11_site.config.redis import RedisAccess

ENVIRONMENT = Environment()
VERSION = release.version()
LOG_FORMATS = ("text", "json")
DATA_DIR = Path(ENVIRONMENT.text("VX11_DATA_DIR") or installation.default_data_folder())
STATIC_ROOT = DATA_DIR / "static"
try:
    # It holds the database and the secret key, so only the server's user may enter it.
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    # WhiteNoise needs the folder to exist, even if it is empty.
    STATIC_ROOT.mkdir(exist_ok=True)
except OSError as error:
    raise BadEnvironment(f"VX11_DATA_DIR has to be a folder that this user may write to: {error}") from None
DEBUG = ENVIRONMENT.flag("VX11_DEBUG")
# None: SQLite, in the data folder.
POSTGRES = PostgresAccess.from_environment(ENVIRONMENT)
REDIS = RedisAccess.from_environment(ENVIRONMENT)
# Empty: there is none.
REDIS_URL = REDIS.url if REDIS else ""


def _database() -> dict[str, Any]:
    if POSTGRES is not None:
        return POSTGRES.database()
    return {
        "ENGINE": "ledger.sqlite3",
        "NAME": DATA_DIR / "operator.sqlite3",
        # A file in tests too, because threads share the database there as they do in production.
        "TEST": {"NAME": DATA_DIR / "test.sqlite3"},
        "OPTIONS": {
            # With plain BEGIN most concurrent writers fail with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # With synchronous=NORMAL a committed event would not survive a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
        },
    }


def _caches() -> dict[str, Any]:
    if REDIS is None:
        return {
            "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
            "tickets": {
                "BACKEND": "gateway.shared_store.ticket_cache.TicketLocMemCache",
                "LOCATION": "tickets",
                "KEY_FUNCTION": "gateway.shared_store.ticket_cache.literal_key",
                # 60 s of tickets at 1 600 a second, about 100 MiB.
                "OPTIONS": {"MAX_ENTRIES": 100_000},
            },
        }
    redis = REDIS.cache()
    return {
        "default": {**redis, "KEY_PREFIX": "vx11"},
        "tickets": {**redis, "KEY_FUNCTION": "gateway.shared_store.ticket_cache.literal_key"},
    }


def _channel_layers() -> dict[str, Any]:
    if REDIS is None:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [REDIS.channel_layer_host()], "prefix": "vx11"}}}


def _public_entry_points() -> frozenset[str]:
    """`status` or `/metrics` as paths; every API path under its two names."""
    names = ENVIRONMENT.items("VX11_PUBLIC_ENTRY_POINTS")
    relative = [name for name in names if not name.startswith("/")]
    return frozenset(
        [name for name in names if name.startswith("/")]
        + [f"/operator/api/{name}" for name in relative]
        + [f"/operator/api/v1/{name}" for name in relative]
    )


def _trusted_proxies() -> list[Any]:
    """Networks, and "unix" for callers over a Unix socket, which have no address."""
    names = ENVIRONMENT.items("VX11_TRUSTED_PROXIES")
    return [name if name == "unix" else ipaddress.ip_network(name, strict=False) for name in names]


def _log_format() -> str:
    name = ENVIRONMENT.text("VX11_LOG_FORMAT").lower()
    if name not in LOG_FORMATS:
        raise BadEnvironment(f"VX11_LOG_FORMAT is {name!r}; use {' or '.join(LOG_FORMATS)}")
    return name


SECRET_KEY = ENVIRONMENT.text("VX11_SECRET_KEY") or secret_key.kept_in(DATA_DIR)
ALLOWED_HOSTS = ENVIRONMENT.items("VX11_ALLOWED_HOSTS")
PUBLIC_URL = ENVIRONMENT.text("VX11_PUBLIC_URL").rstrip("/")
ALLOWED_ORIGINS = frozenset(ENVIRONMENT.items("VX11_ALLOWED_ORIGINS"))
TRUSTED_PROXIES = _trusted_proxies()
PROXY_SIGN_IN = sign_in.by_proxy(ENVIRONMENT)
PUBLIC_ENTRY_POINTS = _public_entry_points()
PRINCIPAL_TOKENS = ENVIRONMENT.tokens("VX11_PRINCIPAL_TOKEN")
SERVICE_TOKENS = ENVIRONMENT.tokens("VX11_SERVICE_TOKEN")
ROLE = ENVIRONMENT.choice("VX11_ROLE", ("all", "gateway", "backend"))
BACKEND_URL = ENVIRONMENT.address("VX11_BACKEND_URL")
BACKEND_TLS_CA = ENVIRONMENT.text("VX11_BACKEND_TLS_CA")
BACKEND_TLS_CERT = ENVIRONMENT.text("VX11_BACKEND_TLS_CERT")
BACKEND_TLS_KEY = ENVIRONMENT.text("VX11_BACKEND_TLS_KEY")
# More than a minute defeats the purpose of tickets; a larger value is for debugging only.
SSE_TOKEN_TTL_SECONDS = ENVIRONMENT.number("VX11_SSE_TOKEN_TTL_SECONDS", minimum=1, maximum=86_400)
SSE_TOKEN_SINGLE_USE = ENVIRONMENT.flag("VX11_SSE_TOKEN_SINGLE_USE")
TOKEN_RATE = ENVIRONMENT.rate("VX11_TOKEN_RATE")
TOKEN_RATE_PER_ADDRESS = ENVIRONMENT.rate("VX11_TOKEN_RATE_PER_ADDRESS")
FAILED_CREDENTIAL_RATE = ENVIRONMENT.rate("VX11_FAILED_CREDENTIAL_RATE")
LOGIN_RATE = ENVIRONMENT.rate("VX11_LOGIN_RATE")
PUBLISH_RATE = ENVIRONMENT.rate("VX11_PUBLISH_RATE")
STREAM_MAX_AGE_SECONDS = ENVIRONMENT.number("VX11_STREAM_MAX_AGE_SECONDS", minimum=1, maximum=7 * 86_400)
HEARTBEAT_SECONDS = ENVIRONMENT.number("VX11_HEARTBEAT_SECONDS", minimum=1, maximum=300)
# 0: as many as the limit on open files has room for.
MAX_STREAMS = ENVIRONMENT.number("VX11_MAX_STREAMS", minimum=0, maximum=1_000_000)
# 0: no limit.
MAX_STREAMS_PER_PRINCIPAL = ENVIRONMENT.number("VX11_MAX_STREAMS_PER_PRINCIPAL", minimum=0, maximum=1_000_000)
DRAIN_SECONDS = ENVIRONMENT.number("VX11_DRAIN_SECONDS", minimum=1, maximum=600)
EVENT_RETENTION_DAYS = ENVIRONMENT.number("VX11_EVENT_RETENTION_DAYS", minimum=1, maximum=36_500)
EVENT_RETENTION_ROWS = ENVIRONMENT.number(
    "VX11_EVENT_RETENTION_ROWS",
    minimum=1,
    maximum=10**12,
    # About 5 GB of small events in one file, and 50 GB in partitions.
    unset=10_000_000 if POSTGRES is None else 100_000_000,
)
SEARCH_INDEX = ENVIRONMENT.flag("VX11_SEARCH_INDEX")
CHAT_UPSTREAM_URL = ENVIRONMENT.address("VX11_CHAT_UPSTREAM_URL")
CHAT_UPSTREAM_TOKEN = ENVIRONMENT.token("VX11_CHAT_UPSTREAM_TOKEN")
# Front ends give up after five seconds, and that includes the time to store the message.
CHAT_UPSTREAM_WAIT_MS = ENVIRONMENT.number("VX11_CHAT_UPSTREAM_WAIT_MS", minimum=100, maximum=4_000)
CHAT_RATE = ENVIRONMENT.rate("VX11_CHAT_RATE")
CHANGE_RATE = ENVIRONMENT.rate("VX11_CHANGE_RATE")
# Networks that are not public, to which notices and webhooks may go all the same.
DELIVERY_NETWORKS = [ipaddress.ip_network(name) for name in ENVIRONMENT.items("VX11_DELIVERY_NETWORKS")]
# Whether they go through the proxies of HTTP_PROXY and HTTPS_PROXY, which then decide what they reach.
DELIVERY_PROXIES = ENVIRONMENT.flag("VX11_DELIVERY_PROXIES")
UI_DIR = ENVIRONMENT.folder("VX11_UI_DIR", apart_from=DATA_DIR)
TRACES_URL = ENVIRONMENT.address("VX11_TRACES_URL")
TRACES_RATIO = ENVIRONMENT.share("VX11_TRACES_RATIO")
AUDIT_RETENTION_DAYS = ENVIRONMENT.number("VX11_AUDIT_RETENTION_DAYS", minimum=1, maximum=36_500)

INSTALLED_APPS = [
    "vx11_site",
    "gateway",
    "events",
    "operator_api",
    "watches",
    "receivers",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
# The ordinary chain, for browsers. Requests that bring a token take gateway.http.rest.LeanHandler instead, and those
# for static files vx11_site.server.static_files.StaticHandler.
MIDDLEWARE = [
    "gateway.http.middleware.EdgeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "vx11_site.server.front_end.FrontEndMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "vx11_site.language.LanguageMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gateway.http.proxy_sign_in.ProxySignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "vx11_site.backend_urls" if ROLE == "backend" else "vx11_site.urls"
ASGI_APPLICATION = "vx11_site.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [installation.FILES / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": _database()}
# Most statements take less than ten milliseconds, where the buckets of django-prometheus begin.
PROMETHEUS_LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = _caches()
CHANNEL_LAYERS = _channel_layers()

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "console"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [installation.FILES / "locale"]
LANGUAGE_COOKIE_NAME = "vx11_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "vx11_site.formats"
USE_TZ = True

# Pages name their files by addresses that change with the files, so browsers keep them without asking. Scripts import
# each other by relative addresses, which are below the same digest. Scripts and styles have no comments there.
# While one develops, files change without a start, and are served as they are.
WHITENOISE_STATIC_PREFIX = "/static/"
STATICFILES_DIRS = [installation.FILES / "static"]
_DIGEST = "" if DEBUG else f"v-{minified.digest(STATICFILES_DIRS[0])}/"
STATIC_URL = f"{WHITENOISE_STATIC_PREFIX}{_DIGEST}"
# Straight from the source folders: nothing to collect before a start. nginx serves them in larger set-ups.
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 60

_HTTPS = urlsplit(PUBLIC_URL).scheme == "https"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", *sign_in.backends(PROXY_SIGN_IN)]
SESSION_ENGINE = "gateway.identity.session_store"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_NAME = "__Host-vx11_session" if _HTTPS else "vx11_session"
CSRF_COOKIE_NAME = "__Host-vx11_csrf" if _HTTPS else "vx11_csrf"
CSRF_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SECURE = _HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []
CSRF_FAILURE_VIEW = "gateway.http.errors.csrf_failure"
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
# For this host name only: names below it may belong to other sites, and browsers remember HSTS for a year.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = False
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
SILENCED_SYSTEM_CHECKS = [
    # Redirecting to https is the proxy's task: it ends TLS, and port 80 never reaches this program.
    "security.W008",
    # HSTS for subdomains and for preload lists is a decision of the domain's owner, to be made in the proxy.
    "security.W005",
    "security.W021",
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "VX11 Operator",
    "DESCRIPTION": "Live operator events through tickets that last a minute and open one stream.",
    # Of the API, which does not change with each commit.
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["vx11_site.openapi.first_names_only"],
    "POSTPROCESSING_HOOKS": ["vx11_site.openapi.complete"],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/operator/api",
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "vx11_site.logs.text.RedactingFormatter"},
        "json": {"()": "vx11_site.logs.json.JsonFormatter"},
    },
    "filters": {"expected": {"()": "vx11_site.logs.text.ExpectedFaults"}},
    "handlers": {"stderr": {"class": "vx11_site.logs.output.LogOutput", "formatter": _log_format()}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.text("VX11_LOG_LEVEL").upper()},
    "loggers": {
        # Refusals are in our own access log and audit; Django would log each a second time.
        "django.request": {"level": "CRITICAL"},
        "django.security": {"level": "CRITICAL"},
        "httpx2": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "channels_redis.pubsub": {"filters": ["expected"]},
        # A line for each batch that is lost is enough; every try would be one more.
        "opentelemetry": {"level": "WARNING"},
        "opentelemetry.exporter": {"level": "ERROR"},
    },
}
