"""Settings, and which checks object to them: what is safe beside what is not."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from django.core import checks as django_checks

from gateway.checks import deploy, roles, startup
from tests.servers import ROOT
from vx11_site.config.environment import Environment
from vx11_site.config.sign_in import ProxySignIn

LONG = "a-token-of-more-than-sixteen-characters"
UUID = "550e8400-e29b-41d4-a716-446655440000"
BY_PROXY = ProxySignIn(b"x-forwarded-user", b"", {}, 900)
KEY = "kJ3vQ9xT2mB7nW5cR8zL1pY6dF4gH0sAeUiOaXqZwSxEdCrFvTgByHnUjM"
Check = Callable[..., list[django_checks.CheckMessage]]
POSTGRES = {"ENGINE": "django.db.backends.postgresql"}
SQLITE = {"ENGINE": "django.db.backends.sqlite3"}


def database(config: dict[str, Any], host: str, **options: str) -> dict[str, Any]:
    return {**config, "HOST": host, "OPTIONS": options}


GATEWAY = {
    "ROLE": "gateway",
    "BACKEND_URL": "https://operator-backend:8000",
    "SERVICE_TOKENS": [LONG],
    "REDIS_URL": "redis://localhost:6379/0",
}
BACKEND = {"ROLE": "backend", "REDIS_URL": GATEWAY["REDIS_URL"], "CHAT_UPSTREAM_URL": "http://localhost:9000/ask"}

# The check, settings that are not those of _safe, and the ids that come of them.
CASES: list[tuple[Check, dict[str, Any], list[str]]] = [
    (startup.environment_tokens, {}, []),
    (startup.environment_tokens, {"PRINCIPAL_TOKENS": [LONG], "SERVICE_TOKENS": [LONG + "2"]}, []),
    (startup.environment_tokens, {"PRINCIPAL_TOKENS": ["short"]}, ["vx11.E001"]),
    (startup.environment_tokens, {"SERVICE_TOKENS": [LONG, "short"]}, ["vx11.E001"]),
    (startup.environment_tokens, {"PRINCIPAL_TOKENS": ["short"], "DEBUG": True}, []),
    (startup.environment_tokens, {"PRINCIPAL_TOKENS": [UUID]}, ["vx11.E002"]),
    (startup.environment_tokens, {"SERVICE_TOKENS": [UUID.upper()], "DEBUG": True}, ["vx11.E002"]),
    (startup.environment_tokens, {"PRINCIPAL_TOKENS": [LONG], "SERVICE_TOKENS": [LONG]}, ["vx11.E003"]),
    *(
        (startup.public_entry_points, {"PUBLIC_ENTRY_POINTS": frozenset({path})}, expected)
        for path, expected in {
            "/operator/api/status": [],
            "/metrics": [],
            "/operator/api/window/status": [],
            "/operator/api/events": ["vx11.E004"],
            "/operator/api/v1/events/stream": ["vx11.E004"],
            "/operator/api/events/stats": ["vx11.E004"],
            "/operator/api/events/sse-token": ["vx11.E004"],
        }.items()
    ),
    (startup.proxy_sign_in, {"PROXY_SIGN_IN": None}, []),
    (startup.proxy_sign_in, {"PROXY_SIGN_IN": BY_PROXY, "TRUSTED_PROXIES": []}, ["vx11.E025"]),
    (startup.proxy_sign_in, {"PROXY_SIGN_IN": BY_PROXY, "TRUSTED_PROXIES": ["unix"]}, []),
    (startup.ticket_lifetime, {"SSE_TOKEN_TTL_SECONDS": 60}, []),
    (startup.ticket_lifetime, {"SSE_TOKEN_TTL_SECONDS": 61}, ["vx11.E005"]),
    (startup.ticket_lifetime, {"SSE_TOKEN_TTL_SECONDS": 61, "DEBUG": True}, []),
    *(
        (startup.unknown_variables, {"ENVIRONMENT": Environment(variables)}, expected)
        for variables, expected in [
            ({"VX11_LOG_LEVEL": "INFO", "PATH": "x", "VX11_SECRET_KEY_FILE": "/x"}, []),
            ({"VX11_REDIS_UR": "x"}, ["vx11.W001"]),
            ({"REDIS_URL": "x"}, ["vx11.W001"]),
            ({"REDIS_URL": "x", "VX11_REDIS_URL": "x"}, []),
            ({"VX11_LOG_LEVEL_FILE": "x"}, ["vx11.W001"]),
        ]
    ),
    (deploy.debug, {"DEBUG": True}, ["vx11.E006"]),
    (deploy.secret_key, {"SECRET_KEY": "short-but-Various-1"}, ["vx11.E007"]),
    (deploy.secret_key, {"SECRET_KEY": "a" * 80}, ["vx11.E007"]),
    (deploy.secret_key, {"SECRET_KEY": f"django-insecure-{KEY}"}, ["vx11.E007"]),
    (deploy.secret_key, {"SERVICE_TOKENS": [KEY]}, ["vx11.E008"]),
    *(
        (deploy.guessable_tokens, {"PRINCIPAL_TOKENS": [LONG, text]}, ["vx11.E009"])
        for text in (
            "changeme-changeme", "Change_Me_please_1", "vx11-local-token", "my-test-token-of-old", "aaaaaaaaaaaaaaaa",
            "abababababababab", "abcdefghabcdefgh", "secret-of-operators", "PASSWORD-for-console", "1234567890123456",
        )
    ),  # fmt: skip
    (deploy.guessable_tokens, {"SERVICE_TOKENS": ["changeme-changeme"]}, ["vx11.E009"]),
    (deploy.guessable_tokens, {"SERVICE_TOKENS": [LONG, "9f86d081884c7d65", f"vx11s_{KEY}"]}, []),
    (deploy.public_url, {"PUBLIC_URL": ""}, ["vx11.E010"]),
    (deploy.public_url, {"PUBLIC_URL": "http://operator.example.org"}, ["vx11.E010"]),
    (deploy.public_url, {"PUBLIC_URL": "https://"}, ["vx11.E010"]),
    (deploy.public_url, {"ALLOWED_HOSTS": ["localhost"]}, ["vx11.W010"]),
    (deploy.public_url, {"ALLOWED_HOSTS": [".example.org"]}, []),
    (deploy.any_host, {"ALLOWED_HOSTS": ["operator.example.org", "*"]}, ["vx11.E011"]),
    *(
        (deploy.origins, {"ALLOWED_ORIGINS": frozenset({origin}), "DEBUG": debug}, expected)
        for origin, debug, expected in [
            ("https://console.example.org", False, []),
            ("https://console.example.org:8443", False, []),
            ("http://localhost:3000", True, []),
            ("http://127.0.0.1:3000", True, []),
            *(
                (bad, False, ["vx11.E012"])
                for bad in (
                    "*", "null", "https://*.example.org", "https://console.example.org/", "https://example.org/path",
                    "console.example.org", "http://console.example.org", "http://localhost:3000", "https://",
                    "https://user@example.org", "https://Console.example.org", "https://example.org:99999",
                    "https://[::1", "ftp://x.org",
                )
            ),
            ("http://console.example.org", True, ["vx11.E012"]),
        ]
    ),  # fmt: skip
    *(
        (deploy.proxies, {"TRUSTED_PROXIES": [ip_network(text) for text in networks]}, expected)
        for networks, expected in [
            (["10.0.0.0/8", "192.168.0.1/32", "fd00::/8"], []),
            (["0.0.0.0/0"], ["vx11.E013"]),
            (["::/0"], ["vx11.E013"]),
            (["::ffff:0:0/96"], ["vx11.E013"]),
            (["::ffff:10.0.0.5/128"], []),
            (["0.0.0.0/1", "128.0.0.0/1"], ["vx11.E013"]),
            (["10.0.0.5/32", "::/0", "0.0.0.0/0"], ["vx11.E013", "vx11.E013"]),
        ]
    ),
    (deploy.proxies, {"TRUSTED_PROXIES": ["unix"]}, []),
    *(
        (deploy.redis, {"REDIS_URL": url}, expected)
        for url, expected in {
            "": [],
            "redis://localhost:6379/0": [],
            "redis://127.0.0.1/0": [],
            "redis://[::1]:6379/0": [],
            "unix:///run/redis.sock": [],
            "rediss://:pw@redis.example.org/0": [],
            "redis://redis.example.org:6379/0": ["vx11.E014"],
            "rediss://redis.example.org:6379/0": ["vx11.E014"],
            "redis://10.0.0.7/0": ["vx11.E014"],
            "redis://:pw@redis.example.org/0": ["vx11.W006"],
        }.items()
    ),
    *(
        (deploy.chat_upstream, {"CHAT_UPSTREAM_URL": url, "CHAT_UPSTREAM_TOKEN": token}, expected)
        for url, token, expected in [
            ("", "", []),
            ("http://assistant.example.org/ask", "", []),
            ("http://127.0.0.1:9000/ask", LONG, []),
            ("http://[::1]:9000/ask", LONG, []),
            ("http://localhost/ask", LONG, []),
            ("https://assistant.example.org/ask", LONG, []),
            ("http://assistant.example.org/ask", LONG, ["vx11.W012"]),
            ("HTTP://10.0.0.7:9000/ask", LONG, ["vx11.W012"]),
            ("http://localhost.example.org/ask", LONG, ["vx11.W012"]),
        ]
    ),
    (startup.front_end, {"UI_DIR": None}, []),
    (startup.front_end, {"UI_DIR": ROOT / "tests/browser/front_end"}, []),
    (startup.front_end, {"UI_DIR": ROOT / "tests/browser/front_end/assets"}, ["vx11.W011"]),
    (startup.front_end, {"UI_DIR": ROOT / "gone"}, ["vx11.W011"]),
    *(
        (deploy.database, {"DATABASE": config}, expected)
        for config, expected in [
            (database(SQLITE, ""), []),
            (database(POSTGRES, ""), []),
            (database(POSTGRES, "/run/postgresql"), []),
            (database(POSTGRES, "127.0.0.1"), []),
            (database(POSTGRES, "db.example.org", sslmode="verify-full"), []),
            (database(POSTGRES, "db.example.org", sslmode="require"), []),
            (database(POSTGRES, "db.example.org"), ["vx11.W007"]),
            (database(POSTGRES, "db.example.org", sslmode="prefer"), ["vx11.W007"]),
        ]
    ),
    *(
        (deploy.entry_points, {"PUBLIC_ENTRY_POINTS": frozenset({path})}, expected)
        for path, expected in {
            "/operator/api/status": [],
            "/operator/api/v1/window/status": [],
            "/operator/api/chat/window/status": [],
            "/operator/api/modules/switch": [],
            "/metrics": ["vx11.W002"],
            "/operator/api/window/open": ["vx11.E016"],
            "/operator/api/status/": ["vx11.E016"],
            "/operator/api/chat": ["vx11.E016"],
        }.items()
    ),
    (deploy.reusable_tickets, {"SSE_TOKEN_SINGLE_USE": False}, ["vx11.W003"]),
    *((deploy.limits, {name: None}, ["vx11.W004"]) for name in deploy.RATES),
    (deploy.limits, {"MAX_STREAMS_PER_PRINCIPAL": 0}, ["vx11.W005"]),
    (deploy.log_level, {"ENVIRONMENT": Environment({"VX11_LOG_LEVEL": "debug"})}, ["vx11.W008"]),
    (deploy.audit_retention, {"AUDIT_RETENTION_DAYS": 6}, ["vx11.W009"]),
    (deploy.audit_retention, {"AUDIT_RETENTION_DAYS": 7}, []),
    (roles.roles, {}, []),
    (roles.roles, GATEWAY, []),
    (roles.roles, GATEWAY | {"BACKEND_URL": ""}, ["vx11.E020"]),
    (roles.roles, GATEWAY | {"SERVICE_TOKENS": []}, ["vx11.E021"]),
    (roles.roles, GATEWAY | {"REDIS_URL": ""}, ["vx11.E022"]),
    (roles.roles, GATEWAY | {"BACKEND_TLS_CA": "/nowhere/ca.crt"}, ["vx11.E024"]),
    (roles.roles, GATEWAY | {"BACKEND_TLS_CERT": __file__, "BACKEND_TLS_KEY": __file__}, ["vx11.E024"]),
    (roles.roles, GATEWAY | {"BACKEND_TLS_KEY": "/nowhere/client.key"}, ["vx11.E024"]),
    (roles.roles, GATEWAY | {"BACKEND_URL": "http://localhost:8001", "BACKEND_TLS_CA": __file__}, ["vx11.E024"]),
    (roles.roles, BACKEND, []),
    (roles.roles, BACKEND | {"REDIS_URL": ""}, ["vx11.E022"]),
    (roles.roles, BACKEND | {"BACKEND_URL": "http://localhost:8001"}, ["vx11.W020"]),
    (roles.roles, {"BACKEND_URL": "http://localhost:8001"}, ["vx11.W020"]),
    (roles.roles, BACKEND | {"CHAT_UPSTREAM_WAIT_MS": 2501}, ["vx11.W021"]),
    (roles.roles, BACKEND | {"CHAT_UPSTREAM_WAIT_MS": 2501, "CHAT_UPSTREAM_URL": ""}, []),
    *(
        (roles.backend_url, GATEWAY | {"BACKEND_URL": url}, expected)
        for url, expected in {
            "http://127.0.0.1:8001": [],
            "http://localhost:8001": [],
            "https://operator-backend:8001": [],
            "http://operator-backend:8001": ["vx11.W022"],
        }.items()
    ),
]  # fmt: skip
