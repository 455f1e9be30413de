"""Targets, notices and webhooks in the admin: addresses are never shown, tests and dead letters are sent from there."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from events import log
from gateway import standard_webhooks
from gateway.models import TokenAudit
from tests.gateway.admin.people import browser_of
from tests.watches.samples import happen
from tests.watches.test_admin import person
from watches.admin.delivery_pages import SubscriptionAdmin, TargetAdmin
from watches.delivery import secrets
from watches.models import Notice, Subscription, Target

pytestmark = pytest.mark.usefixtures("ledger")

ADDRESS = "json://user:geheim@hooks.example:8443/geheim"
LISTS = ["/admin/watches/target/", "/admin/watches/notice/", "/admin/watches/subscription/"]


def target(browser: Any, address: str = ADDRESS, name: str = "there") -> int:
    return int(browser.post("/admin/watches/target/add/", {"name": name, "new_address": address}).status_code)


def webhook_form(**fields: str) -> dict[str, str]:
    return {"name": "hook", "query": "", "new_address": "", "new_secret": "", "go_on_from": "", **fields}


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("operator", 403), ("auditor", 200), ("administrator", 200)]
)
def test_each_role_finds_what_it_may_see(role: str, status: int) -> None:
    browser = browser_of(person(role))
    assert [browser.get(address).status_code for address in LISTS] == [status] * 3


def test_an_address_is_stored_encrypted_and_never_shown() -> None:
    browser = browser_of(person("administrator"))
    assert target(browser) == 302
    row = Target.objects.get()
    assert secrets.decrypt(row.address) == ADDRESS
    assert "geheim" not in row.address + row.masked
    assert row.masked == "json://hooks.example:8443/***"
    pages = [browser.get(address).content.decode() for address in (LISTS[0], f"{LISTS[0]}{row.pk}/change/")]
    assert all("geheim" not in page and row.masked in page for page in pages)
    assert TokenAudit.objects.filter(reason__startswith="added target there").count() == 1
    assert not TokenAudit.objects.filter(reason__contains="geheim").exists()


def test_without_a_new_address_the_old_one_stays_and_a_new_one_is_tried_at_once() -> None:
    browser = browser_of(person("administrator"))
    target(browser)
    pk = Target.objects.get().pk
    Target.objects.update(failures=3, next_try_at=timezone.now() + timedelta(hours=1))
    browser.post(f"{LISTS[0]}{pk}/change/", {"name": "renamed", "new_address": ""})
    assert (Target.objects.get().name, secrets.decrypt(Target.objects.get().address)) == ("renamed", ADDRESS)
    assert Target.objects.get().failures == 3
    browser.post(f"{LISTS[0]}{pk}/change/", {"name": "renamed", "new_address": "ntfy://another"})
    assert (Target.objects.get().failures, Target.objects.get().next_try_at) == (0, None)
    assert Target.objects.get().masked == "ntfy://***"


@pytest.mark.parametrize(
    "address", ["", "geheim", "file:///geheim", "syslog://geheim", "dbus://geheim", "json://", "alertmanager://"]
)
def test_an_address_of_no_kind_that_is_taken_is_refused_and_not_quoted(address: str) -> None:
    browser = browser_of(person("administrator"))
    page = browser.post("/admin/watches/target/add/", {"name": "there", "new_address": address})
    assert page.status_code == 200
    assert "geheim" not in page.content.decode()
    assert Target.objects.count() == 0


def test_a_test_is_a_notice_and_dead_notices_are_sent_again() -> None:
    browser = browser_of(person("administrator"))
    target(browser)
    chosen = {"action": "send_test", "_selected_action": [str(Target.objects.get().pk)]}
    assert browser.post(LISTS[0], chosen).status_code == 302
    notice = Notice.objects.get()
    assert (notice.content["last_state"], notice.state) == ("test", "pending")
    Notice.objects.update(state="dead", expires_at=timezone.now() - timedelta(seconds=1))
    assert browser.post(LISTS[1], {"action": "send_again", "_selected_action": [str(notice.pk)]}).status_code == 302
    again = Notice.objects.get()
    assert (again.pk, again.state) == (notice.pk, "pending")
    assert again.expires_at > timezone.now() + timedelta(hours=23)
    assert TokenAudit.objects.filter(reason__startswith="sent").count() == 2


def test_an_auditor_sends_nothing() -> None:
    administrator = browser_of(person("administrator"))
    target(administrator)
    auditor = browser_of(person("auditor"))
    auditor.post(LISTS[0], {"action": "send_test", "_selected_action": [str(Target.objects.get().pk)]})
    assert Notice.objects.count() == 0
    assert target(auditor, name="another") == 403


def test_a_webhook_begins_at_the_end_of_the_log_and_its_secret_is_shown_once(caplog: pytest.LogCaptureFixture) -> None:
    happen("before")
    browser = browser_of(person("administrator"))
    form = webhook_form(new_address="https://hooks.example/geheim")
    answer = browser.post(f"{LISTS[2]}add/", form)
    row = Subscription.objects.get()
    secret = secrets.decrypt(row.secret)
    assert (answer.status_code, secret in answer.content.decode()) == (200, True)
    assert standard_webhooks.key_of(secret)
    assert "no-store" in answer["Cache-Control"]
    # Neither a cookie nor the session nor the log keeps it.
    kept = f"{answer.cookies.output()} {dict(browser.session.items())} {caplog.text}"
    assert secret not in kept
    assert "messages" not in answer.cookies
    assert secret not in browser.get(LISTS[2]).content.decode()
    assert secret not in browser.get(f"{LISTS[2]}{row.pk}/change/").content.decode()
    assert (row.epoch, row.seq) == log.head().newest
    assert row.masked == "https://hooks.example/***"
    assert row.owner_name.startswith("staff-")


def test_its_cursor_is_shown_and_can_be_set_which_starts_a_dead_one_again() -> None:
    happen("one", "two")
    browser = browser_of(person("administrator"))
    browser.post(f"{LISTS[2]}add/", webhook_form(new_address="https://hooks.example/"))
    row = Subscription.objects.get()
    change = f"{LISTS[2]}{row.pk}/change/"
    assert str(log.head().newest) in browser.get(change).content.decode()
    Subscription.objects.update(state="dead", failures=9)
    browser.post(change, webhook_form(go_on_from="oldest"))
    row.refresh_from_db()
    assert (row.epoch, row.seq, row.state, row.failures) == (*log.head().oldest, "active", 0)
    browser.post(change, webhook_form(go_on_from=str(log.head().newest)))
    row.refresh_from_db()
    assert (row.epoch, row.seq) == log.head().newest


@pytest.mark.parametrize(
    "wrong",
    [
        {"new_address": "ftp://hooks.example/"},
        {"new_address": "https://user:pass@hooks.example/"},
        {"new_address": ""},
        {"new_address": "https://h.example/", "new_secret": "short"},
        {"new_address": "https://h.example/", "query": "severity:("},
        {"new_address": "https://h.example/", "go_on_from": "yesterday"},
    ],
)
def test_a_webhook_with_a_wrong_field_is_refused(wrong: dict[str, str]) -> None:
    browser = browser_of(person("administrator"))
    assert browser.post(f"{LISTS[2]}add/", webhook_form(**wrong)).status_code == 200
    assert Subscription.objects.count() == 0


def test_a_secret_that_the_receiver_has_already_is_not_shown() -> None:
    browser = browser_of(person("administrator"))
    form = webhook_form(new_address="https://hooks.example/", new_secret=standard_webhooks.new_secret())
    answer = browser.post(f"{LISTS[2]}add/", form)
    assert answer.status_code == 302
    assert secrets.decrypt(Subscription.objects.get().secret) == form["new_secret"]


def test_saving_a_target_writes_nothing_that_deliveries_write_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = browser_of(person("administrator"))
    target(browser)
    real, pk = TargetAdmin.save_model, Target.objects.get().pk

    def fail_meanwhile(*args: Any) -> None:
        Target.objects.update(failures=3, address="of another administrator")
        real(*args)

    monkeypatch.setattr(TargetAdmin, "save_model", fail_meanwhile)
    browser.post(f"{LISTS[0]}{pk}/change/", {"name": "renamed", "new_address": ""})
    row = Target.objects.get()
    assert (row.name, row.failures, row.address) == ("renamed", 3, "of another administrator")


def test_saving_a_webhook_writes_what_was_changed_and_ends_an_attempt_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    browser = browser_of(person("administrator"))
    browser.post(f"{LISTS[2]}add/", webhook_form(new_address="https://hooks.example/"))
    real, pk = SubscriptionAdmin.save_model, Subscription.objects.get().pk
    claim = timezone.now() + timedelta(minutes=1)

    def change_meanwhile(*args: Any) -> None:
        Subscription.objects.update(seq=77, address="of another administrator", claimed_until=claim)
        real(*args)

    monkeypatch.setattr(SubscriptionAdmin, "save_model", change_meanwhile)
    browser.post(f"{LISTS[2]}{pk}/change/", webhook_form())
    row = Subscription.objects.get()
    assert (row.seq, row.address, row.claimed_until) == (77, "of another administrator", claim)
    browser.post(f"{LISTS[2]}{pk}/change/", webhook_form(query="disk"))
    row = Subscription.objects.get()
    assert (row.seq, row.query, row.address, row.claimed_until) == (77, "disk", "of another administrator", None)
