"""Webhooks in the admin: who may make them, that secrets are never shown, and the preview of an event."""

import importlib
import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection

from gateway.models import RightsVersion, TokenAudit
from receivers.known_webhooks import hook_of
from receivers.models import MAPPED, Webhook
from tests.gateway.admin.people import browser_of, staff

pytestmark = pytest.mark.usefixtures("ledger")

ROLES = importlib.import_module("receivers.migrations.0002_roles")
LIST = "/admin/receivers/webhook/"
SECRET = "geheim-geheim-geheim"


def person(role: str) -> User:
    """Of this role, with what the migration grants to it."""
    with connection.schema_editor() as editor:
        ROLES.grant(apps, editor)
    return staff(role)


def form(**fields: str) -> dict[str, str]:
    empty = dict.fromkeys(MAPPED, "")
    return {
        "name": "ci",
        "signature": "github",
        "new_secret": SECRET,
        "enabled": "on",
        "own_module": "",
        **empty,
    } | fields


def added(browser: Any, **fields: str) -> int:
    return int(browser.post(f"{LIST}add/", form(**fields)).status_code)


@pytest.mark.parametrize(
    ("role", "seen", "made"),
    [("viewer", 403, 403), ("operator", 403, 403), ("auditor", 200, 403), ("administrator", 200, 302)],
)
def test_each_role_finds_what_it_may_see_and_who_gives_tokens_gives_addresses(role: str, seen: int, made: int) -> None:
    browser = browser_of(person(role))
    assert browser.get(LIST).status_code == seen
    assert added(browser) == made
    assert Webhook.objects.count() == (made == 302)


def test_a_secret_is_stored_encrypted_and_never_shown_and_changes_are_on_record() -> None:
    browser = browser_of(person("administrator"))
    before = RightsVersion.current()
    assert added(browser) == 302
    row = Webhook.objects.get()
    assert hook_of(row).secret == SECRET
    assert SECRET not in row.secret + repr(hook_of(row))
    # Which is how every process comes to know it.
    assert RightsVersion.current() > before
    address = f"{LIST}{row.pk}/change/"
    pages = [browser.get(page).content.decode() for page in (LIST, address, f"{LIST}{row.pk}/preview/")]
    assert all(SECRET not in page and "ci" in page for page in pages)
    # Without a new one, the old one stays.
    assert browser.post(address, form(new_secret="", severity="body.level")).status_code == 302
    assert hook_of(Webhook.objects.get()).secret == SECRET
    assert list(hook_of(Webhook.objects.get()).expressions) == ["severity"]
    reasons = list(TokenAudit.objects.values_list("reason", flat=True))
    assert any(reason.startswith("added webhook ci") for reason in reasons)
    assert any(reason.startswith("changed webhook ci") and "everity" in reason for reason in reasons)
    assert not any(SECRET in reason for reason in reasons)


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_secret": ""},
        {"new_secret": "short"},
        {"signature": "standard"},
        {"signature": "none"},
        {"name": "Up Per"},
        {"name": "a/b"},
        {"name": "x" * 65},
        {"own_module": "a b"},
        {"summary": "body."},
        {"payload": "no_function(body)"},
        {"module": "a" * 1_001},
        {"severity": "[" * 40 + "a" + "]" * 40},
    ],
    ids=str,
)
def test_what_could_never_work_is_refused_when_it_is_saved(wrong: dict[str, str]) -> None:
    browser = browser_of(person("administrator"))
    page = browser.post(f"{LIST}add/", form(**wrong))
    assert page.status_code == 200
    assert "geheim" not in page.content.decode()
    assert Webhook.objects.count() == 0


def test_another_way_of_signing_needs_a_secret_of_its_form() -> None:
    browser = browser_of(person("administrator"))
    added(browser)
    address = f"{LIST}{Webhook.objects.get().pk}/change/"
    assert browser.post(address, form(signature="standard", new_secret="")).status_code == 200
    assert Webhook.objects.get().signature == "github"
    assert browser.post(address, form(signature="token", new_secret="")).status_code == 302
    assert Webhook.objects.get().secret == ""


def test_a_preview_shows_the_event_or_what_is_wrong_and_stores_nothing() -> None:
    browser = browser_of(person("administrator"))
    added(browser, severity="body.level")
    address = f"{LIST}{Webhook.objects.get().pk}/preview/"
    sample = {"zen": "Keep it <b>simple</b>.", "level": "error", "repository": {"name": "r", "full_name": "o/r"}}
    given = {"content_type": "application/json", "headers": "X-GitHub-Event: ping", "body": json.dumps(sample)}
    page = browser.post(address, given)
    shown = json.loads(page.context["event"])
    assert (shown["summary"], shown["severity"]) == ("o/r: the webhook is set up: Keep it <b>simple</b>.", "error")
    assert shown["module"] == "r"
    assert "<b>" not in page.content.decode()
    refused = browser.post(address, given | {"body": "{"})
    assert (refused.context["status"], refused.status_code) == (400, 200)
    refused = browser.post(address, given | {"body": '{"level": "loud"}'})
    assert (refused.context["status"], len(refused.context["problems"])) == (422, 1)
    assert browser.post(address, given | {"body": ""}).status_code == 200
    assert browser.get(f"{LIST}999/preview/").status_code == 404
    assert browser_of(person("viewer")).get(address).status_code == 403


def test_a_secret_that_cannot_be_read_any_more_takes_nothing(settings: Any) -> None:
    added(browser_of(person("administrator")))
    settings.SECRET_KEY = "another" * 10
    assert hook_of(Webhook.objects.get()).secret == ""
