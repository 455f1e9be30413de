"""System checks: each says what is unsafe, and is silent about what is not."""

from collections.abc import Callable

import pytest
from django.core import checks as django_checks
from pytest_django import Settings

from gateway import checks
from vx11_site.environment import Environment

LONG = "a-token-of-more-than-sixteen-characters"
UUID = "550e8400-e29b-41d4-a716-446655440000"


def ids(check: Callable[..., list[django_checks.CheckMessage]]) -> list[str | None]:
    return [message.id for message in check(None)]


@pytest.fixture(autouse=True)
def _plain(settings: Settings) -> None:
    settings.DEBUG = False
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS = [], []


@pytest.mark.parametrize(
    ("principal", "service", "debug", "expected"),
    [
        ([], [], False, []),
        ([LONG], [LONG + "2"], False, []),
        (["short"], [], False, ["vx11.E001"]),
        ([], [LONG, "short"], False, ["vx11.E001"]),
        (["short"], [], True, []),
        ([UUID], [], False, ["vx11.E002"]),
        ([], [UUID.upper()], True, ["vx11.E002"]),
        ([LONG], [LONG], False, ["vx11.E003"]),
    ],
)
def test_tokens_of_the_environment(
    settings: Settings,
    principal: list[str],
    service: list[str],
    debug: bool,  # noqa: FBT001 - drawn from the table
    expected: list[str],
) -> None:
    settings.PRINCIPAL_TOKENS, settings.SERVICE_TOKENS, settings.DEBUG = principal, service, debug
    assert ids(checks.environment_tokens) == expected


def test_no_check_repeats_a_token(settings: Settings) -> None:
    settings.PRINCIPAL_TOKENS = settings.SERVICE_TOKENS = ["a-secret", UUID]
    assert not any("a-secret" in str(message) or UUID in str(message) for message in checks.environment_tokens(None))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/operator/api/status", []),
        ("/metrics", []),
        ("/operator/api/window/status", []),
        ("/operator/api/events", ["vx11.E004"]),
        ("/operator/api/v1/events/stream", ["vx11.E004"]),
        ("/operator/api/events/stats", ["vx11.E004"]),
        ("/operator/api/events/sse-token", ["vx11.E004"]),
    ],
)
def test_no_public_entry_point_reads_events(settings: Settings, path: str, expected: list[str]) -> None:
    settings.PUBLIC_ENTRY_POINTS = frozenset({path})
    assert ids(checks.public_entry_points) == expected


@pytest.mark.parametrize(
    ("seconds", "debug", "expected"), [(60, False, []), (61, False, ["vx11.E005"]), (61, True, [])]
)
def test_a_ticket_lives_for_a_minute(settings: Settings, seconds: int, debug: bool, expected: list[str]) -> None:  # noqa: FBT001
    settings.SSE_TOKEN_TTL_SECONDS, settings.DEBUG = seconds, debug
    assert ids(checks.ticket_lifetime) == expected


@pytest.mark.parametrize(
    ("hosts", "debug", "expected"),
    [
        (["localhost", "127.0.0.1", "[::1]"], True, []),
        (["operator.example.org"], True, ["vx11.E006"]),
        (["localhost", "*"], True, ["vx11.E006"]),
        (["operator.example.org"], False, []),
    ],
)
def test_debugging_is_not_for_the_public(
    settings: Settings,
    hosts: list[str],
    debug: bool,  # noqa: FBT001 - drawn from the table
    expected: list[str],
) -> None:
    settings.ALLOWED_HOSTS, settings.DEBUG = hosts, debug
    assert ids(checks.debug_in_public) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"VX11_LOG_LEVEL": "INFO", "PATH": "x", "VX11_SECRET_KEY_FILE": "/x"}, []),
        ({"VX11_REDIS_UR": "x"}, ["vx11.W001"]),
        ({"REDIS_URL": "x"}, ["vx11.W001"]),
        ({"REDIS_URL": "x", "VX11_REDIS_URL": "x"}, []),
        ({"VX11_LOG_LEVEL_FILE": "x"}, ["vx11.W001"]),
    ],
)
def test_a_variable_that_nobody_reads_is_a_warning(
    settings: Settings, variables: dict[str, str], expected: list[str]
) -> None:
    settings.ENVIRONMENT = Environment(variables)
    assert ids(checks.unknown_variables) == expected


def test_all_checks_are_among_those_that_django_runs() -> None:
    registered = django_checks.registry.registry.get_checks(include_deployment_checks=True)
    ours = (
        checks.environment_tokens,
        checks.public_entry_points,
        checks.ticket_lifetime,
        checks.unknown_variables,
        checks.debug_in_public,
    )
    assert {check.__name__ for check in ours} <= {getattr(check, "__name__", "") for check in registered}
