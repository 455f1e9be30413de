"""Changes of webhooks: the limit, what a repeated commit comes to, and what is on record of them."""

import dataclasses

import pytest
from django.contrib.admin import site
from django.db import transaction
from django.http import HttpRequest

from gateway import standard_webhooks
from gateway.models import TokenAudit
from ledger import clock
from tests.watches.samples import happen, owner
from watches import subscriptions
from watches.delivery import secrets, webhooks
from watches.models import Subscription
from watches.store import WatchActor
from watches.subscriptions import OLDEST, Addition, Given, NameTaken, Removal, Revision, Start

pytestmark = pytest.mark.usefixtures("ledger")
GIVEN = Given(
    name="siem", query="disk", address="https://example.org/secretpath", secret=standard_webhooks.new_secret()
)


def administrator() -> WatchActor:
    by = owner()
    return WatchActor(by.principal_id, by.name, is_administrator=True)


def add(by: WatchActor, given: Given = GIVEN) -> Subscription:
    made = subscriptions.add_many([Addition(given=given, by=by)])[0]
    assert isinstance(made, Subscription), made
    return made


def test_beyond_the_limit_none_is_added_neither_by_the_api_nor_by_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    by = administrator()
    monkeypatch.setattr(webhooks, "SUBSCRIPTIONS_LIMIT", 1)
    # Handed over together: the second one is counted with the first.
    first, second = subscriptions.add_many(
        [
            Addition(given=GIVEN, by=by),
            Addition(given=Given(name="other", address="https://example.org/", secret="x"), by=by),
        ]
    )
    assert isinstance(first, Subscription)
    assert isinstance(second, webhooks.TooManyWebhooks)
    form_class = site.get_model_admin(Subscription).get_form(HttpRequest())
    form = form_class({"name": "third", "new_address": "https://example.org/"})
    # As the pages of the admin do.
    with transaction.atomic():
        assert form.non_field_errors() == ["There are at most 1 webhooks."]
    # One that is there can be changed.
    assert form_class({"name": "renamed"}, instance=first).is_valid()


def test_a_webhook_that_is_added_twice_after_a_lost_commit_is_one() -> None:
    addition = Addition(given=GIVEN, by=administrator())
    first, again = subscriptions.add_many([addition, addition])
    assert isinstance(first, Subscription)
    assert first == again
    assert isinstance(subscriptions.add_many([Addition(given=GIVEN, by=addition.by)])[0], NameTaken)
    assert Subscription.objects.count() == 1


def test_a_name_that_the_admin_gives_away_meanwhile_is_taken_and_the_other_changes_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by = administrator()
    first, second = add(by), add(by, dataclasses.replace(GIVEN, name="other"))
    monkeypatch.setattr(subscriptions, "_refuse_taken", lambda webhook: None)
    changes = [(first, Given(query="cpu")), (second, Given(name="siem"))]
    outcomes = subscriptions.revise_many([Revision(webhook_id=row.pk, given=given, by=by) for row, given in changes])
    assert isinstance(outcomes[1], NameTaken)
    assert sorted(Subscription.objects.values_list("name", "query")) == [("other", "disk"), ("siem", "cpu")]


def test_a_change_ends_the_attempt_under_way_and_keeps_what_it_does_not_name() -> None:
    by = administrator()
    made = add(by)
    Subscription.objects.update(claimed_until=clock.ask(), failures=3, delivered_at=clock.ask())
    subscriptions.revise_many([Revision(webhook_id=made.pk, given=Given(query="cpu"), by=by)])
    now = Subscription.objects.get()
    assert (now.query, now.claimed_until, now.failures, now.name) == ("cpu", None, 3, "siem")
    assert now.delivered_at is not None
    assert secrets.decrypt(now.address) == GIVEN.address


def test_a_dead_webhook_starts_again_from_where_it_was_or_from_the_oldest_event() -> None:
    by = administrator()
    happen("one", "two")
    made = add(by)
    Subscription.objects.update(state=Subscription.State.DEAD, problem="failed for a day", failures=9)
    (started,) = subscriptions.start_many([Start(webhook_id=made.pk, begin=None, by=by)])
    assert isinstance(started, Subscription)
    assert (started.state, started.problem, started.failures, started.seq) == ("active", "", 0, made.seq)
    (oldest,) = subscriptions.start_many([Start(webhook_id=made.pk, begin=OLDEST, by=by)])
    assert isinstance(oldest, Subscription)
    assert oldest.seq < made.seq


def test_each_change_is_on_record_without_addresses_and_secrets() -> None:
    by = administrator()
    made = add(by)
    new = Given(name="renamed", address="https://example.org/otherpath", secret=standard_webhooks.new_secret())
    subscriptions.revise_many([Revision(webhook_id=made.pk, given=new, by=by)])
    subscriptions.start_many([Start(webhook_id=made.pk, begin=None, by=by)])
    subscriptions.remove_many([Removal(webhook_id=made.pk, by=by)])
    rows = TokenAudit.objects.filter(principal_id=by.principal_id, action=TokenAudit.Action.ADMIN_CHANGED)
    assert [row.reason for row in rows.order_by("at")] == [
        "added webhook siem",
        "changed webhook siem: name, address, secret",
        "started webhook renamed again",
        "deleted webhook renamed",
    ]
