"""System checks: each says what is unsafe, is silent about what is not, and stands in the documents."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from pytest_django import Settings

from gateway.checks import deploy, roles, startup
from tests.gateway.checks.check_cases import CASES, KEY, POSTGRES, SQLITE, UUID, Check, database
from tests.servers import ROOT
from vx11_site.config.environment import Environment


@pytest.fixture(autouse=True)
def _safe(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A public installation as it should be."""
    for name in [name for name in os.environ if name.startswith("VX11_")]:
        monkeypatch.delenv(name)
    tmp_path.chmod(0o700)
    safe = {
        "DEBUG": False,
        "DATA_DIR": tmp_path,
        "SECRET_KEY": KEY,
        "PRINCIPAL_TOKENS": [],
        "SERVICE_TOKENS": [],
        "PUBLIC_URL": "https://operator.example.org",
        "ALLOWED_HOSTS": ["operator.example.org"],
        "ENVIRONMENT": Environment({}),
        "REDIS_URL": "",
    }
    for name, value in safe.items():
        setattr(settings, name, value)
    # Not by setattr: Django warns whoever puts another dictionary there.
    monkeypatch.setitem(settings.DATABASES, "default", database(SQLITE, ""))


def ids(check: Check) -> list[str]:
    return [str(message.id) for message in check(None)]


@pytest.mark.parametrize(("check", "changed", "expected"), CASES)
def test_a_check_names_what_is_unsafe_and_nothing_else(
    settings: Settings, check: Check, changed: dict[str, Any], expected: list[str]
) -> None:
    for name, value in changed.items():
        if name == "DATABASE":
            settings.DATABASES["default"] = value
        else:
            setattr(settings, name, value)
    assert ids(check) == expected


@pytest.mark.parametrize("check", [*deploy.ALL, startup.environment_tokens, startup.unknown_variables])
def test_a_public_installation_as_it_should_be_is_passed_by_every_check(check: Check) -> None:
    assert ids(check) == []


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o600, []), (0o640, []), (0o644, ["vx11.E015"]), (0o602, ["vx11.E015"])]
)
def test_a_file_with_a_secret_is_not_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, expected: list[str]
) -> None:
    file = tmp_path / "token"
    file.touch()
    file.chmod(mode)
    monkeypatch.setenv("VX11_SERVICE_TOKEN_FILE", str(file))
    assert ids(deploy.files) == expected


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o700, []), (0o750, []), (0o755, ["vx11.E015"]), (0o701, ["vx11.E015"])]
)
def test_the_data_folder_is_not_for_everybody(tmp_path: Path, mode: int, expected: list[str]) -> None:
    tmp_path.chmod(mode)
    assert ids(deploy.files) == expected


def test_the_ssl_mode_may_be_in_the_environment_of_libpq(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATABASES["default"] = database(POSTGRES, "db.example.org")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert ids(deploy.database) == []


def test_no_check_repeats_a_secret(settings: Settings) -> None:
    settings.PRINCIPAL_TOKENS = settings.SERVICE_TOKENS = ["a-secret", UUID, KEY]
    settings.SECRET_KEY = "a-secret"
    settings.REDIS_URL = "redis://:hunter2@redis.example.org/0"
    said = [str(message) for check in (*deploy.ALL, startup.environment_tokens) for message in check(None)]
    assert len(said) > 5
    assert not [text for text in said if any(secret in text for secret in ("a-secret", UUID, KEY, "hunter2"))]


def test_all_checks_are_among_those_that_django_runs() -> None:
    registry = django_checks.registry.registry
    always = {id(check) for check in registry.get_checks()}
    deployed = {id(check) for check in registry.get_checks(include_deployment_checks=True)}
    early = (
        startup.environment_tokens,
        startup.public_entry_points,
        startup.ticket_lifetime,
        startup.unknown_variables,
    )
    assert {id(check) for check in (*early, roles.roles)} <= always
    late = {id(check) for check in (*deploy.ALL, roles.backend_url)}
    assert late <= deployed
    assert not late & always


def test_traces_need_their_packages_only_where_they_are_sent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACES_URL = "http://localhost:4318/v1/traces"
    assert ids(startup.traces) == []
    # As if it were not installed.
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert ids(startup.traces) == ["vx11.E023"]
    settings.TRACES_URL = ""
    assert ids(startup.traces) == []


def code_of_checks() -> str:
    return "".join(path.read_text() for path in (ROOT / "gateway/checks").glob("*.py"))


def ids_in(text: str) -> set[str]:
    return set(re.findall(r"vx11\.[EW]\d{3}", text))


def test_every_check_stands_in_the_documents_and_is_provoked_here() -> None:
    code = code_of_checks()
    rows = [line for line in (ROOT / "docs/operations.md").read_text().splitlines() if line.startswith("| `vx11.")]
    provoked = {name for _, _, expected in CASES for name in expected} | {"vx11.E015", "vx11.E023"}
    assert ids_in("\n".join(rows)) == ids_in(code) == provoked


def test_every_check_says_what_to_do() -> None:
    code = code_of_checks()
    made = re.findall(r"checks\.(?:Error|Warning)\([^\n]*", code)
    assert made
    assert [line for line in made if "hint=" not in line] == []
