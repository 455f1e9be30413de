"""Webhooks out: signed batches to a real receiver, at least once, from a cursor that moves when they were taken."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from events import log
from events.log import Cursor, epochs
from gateway import standard_webhooks
from gateway.identity.principals import read_rights
from gateway.models import AccessToken
from gateway.standard_webhooks import BadSecret
from ledger import clock
from tests.events.samples import grow_older
from tests.http_stand_in import HttpStandIn
from tests.watches.delivery.conftest import Deliver
from tests.watches.delivery.dripping import DrippingReceiver
from tests.watches.delivery.receivers import Received, http_receiver
from tests.watches.samples import happen, operator, owner, types_written, written
from watches.delivery import secrets, webhooks
from watches.delivery.webhooks import Batch
from watches.models import Subscription
from watches.store import WatchActor

pytestmark = pytest.mark.usefixtures("ledger")


def subscribe(
    server: HttpStandIn | DrippingReceiver, *, by: WatchActor | None = None, query: str = ""
) -> tuple[Subscription, str]:
    secret, cursor, by = standard_webhooks.new_secret(), log.head().newest, by or owner()
    row = Subscription.objects.create(
        name="a webhook",
        query=query,
        owner_id=by.principal_id,
        address=secrets.encrypt(f"{server.address}/hook"),
        secret=secrets.encrypt(secret),
        masked="http://***",
        epoch=cursor.epoch,
        seq=cursor.seq,
        created_at=timezone.now(),
    )
    return row, secret


def is_at_the_end() -> bool:
    row = Subscription.objects.get()
    return Cursor(row.epoch, row.seq) == log.head().newest and row.claimed_until is None


def hurry() -> None:
    Subscription.objects.update(next_try_at=None)


def bodies(received: Received) -> list[dict[str, Any]]:
    return [orjson.loads(body) for _, _, body in received.requests]


def ids(received: Received) -> list[str]:
    return [event["event_id"] for body in bodies(received) for event in body["events"]]


def test_what_passes_the_query_arrives_in_order_and_signed(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        _, secret = subscribe(server, query="disk")
        happen("one", summary="disk full")
        happen("other")
        happen("two", summary="disk full")
        deliver(is_at_the_end, "all is taken")
    assert ids(received) == ["one", "two"]
    for path, headers, body in received.requests:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert (path, headers["webhook-signature"]) == ("/hook", f"v1,{mac}")
        assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60


def test_a_signature_is_as_the_specification_says() -> None:
    headers = standard_webhooks.headers_for(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at_seconds=1_614_265_330,
        body=b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "not base64!", "whsec_" + "A" * 100])
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(BadSecret):
        standard_webhooks.key_of(secret)


def test_a_batch_that_is_refused_comes_again_with_its_id_and_the_cursor_waits(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        row, _ = subscribe(server)
        received.answers = [503, 200]
        happen("one")
        deliver(lambda: Subscription.objects.get().failures == 1, "the first attempt fails")
        waiting = Subscription.objects.get()
        assert (waiting.seq, waiting.problem) == (row.seq, "answered 503")
        assert waiting.next_try_at is not None
        assert waiting.next_try_at > timezone.now()
        hurry()
        deliver(is_at_the_end, "the second attempt is taken")
    assert ids(received) == ["one", "one"]
    assert len({headers["webhook-id"] for _, headers, _ in received.requests}) == 1
    assert (Subscription.objects.get().failures, Subscription.objects.get().problem) == (0, "")


def test_a_receiver_is_not_asked_before_the_time_it_named(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        received.answers, received.headers = [429], {"Retry-After": "600"}
        happen("one")
        deliver(lambda: Subscription.objects.get().failures == 1, "the first attempt fails")
    next_try_at = Subscription.objects.get().next_try_at
    assert next_try_at is not None
    assert next_try_at > timezone.now() + timedelta(seconds=500)


def test_many_events_come_in_batches(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "BATCH_EVENTS", 3)
    with http_receiver() as (server, received):
        subscribe(server)
        happen(*(f"e{number}" for number in range(8)))
        deliver(is_at_the_end, "all is taken")
    assert [len(body["events"]) for body in bodies(received)] == [3, 3, 2]
    assert [body["cursor"] for body in bodies(received)][-1] == str(log.head().newest)


def test_a_process_that_dies_while_it_sends_leaves_the_batch_to_another(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        happen("one")
        rights = read_rights(None)
        assert len(webhooks.claim(rights, 4)) == 1
        assert webhooks.claim(rights, 4) == []
        Subscription.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        deliver(is_at_the_end, "another process sends it")
    assert ids(received) == ["one"]


def test_after_a_day_of_failures_a_webhook_is_dead_with_an_event_until_a_person_starts_it(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        received.answers = [500]
        happen("one")
        deliver(lambda: Subscription.objects.get().failures == 1, "the first attempt fails")
        Subscription.objects.update(failing_since=timezone.now() - timedelta(days=1), next_try_at=None)
        deliver(lambda: Subscription.objects.get().state == "dead", "it is dead")
        assert types_written() == ["watch.webhook_dead"]
        assert written()[0]["reason"] == "failed for a day"
        # What the receiver answered may name an address: it is for those who see the webhook.
        assert "answered 500" in Subscription.objects.get().problem
        received.answers = [200]
        webhooks.start_again(Subscription.objects.get())
        deliver(is_at_the_end, "it goes on where it was")
    # What came of its death is an event like any other.
    assert set(ids(received)) >= {"one"}


def test_a_receiver_that_says_it_is_gone_is_not_asked_again(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        received.answers = [410]
        happen("one")
        deliver(lambda: Subscription.objects.get().state == "dead", "it is dead")
    assert len(received.requests) == 1


def test_events_that_were_pruned_before_they_were_taken_are_not_passed_over_in_silence(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        happen("early")
        happen("late")
        grow_older(log.head().last_seq - 1, timedelta(days=3))
        log.prune(keep_days=1, keep_rows=10**9, even_nearly_all=True)
        deliver(is_at_the_end, "what is left is taken")
    assert (ids(received), bodies(received)[0]["reset"]) == (["late"], "expired")
    assert Subscription.objects.get().reset_reason == ""


def test_after_a_new_epoch_it_goes_on_and_says_so(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        subscribe(server)
        epochs.start_new_epoch()
        happen("one")
        deliver(is_at_the_end, "what comes is taken")
    assert (ids(received), bodies(received)[0]["reset"]) == (["one"], "epoch")


def test_only_what_its_owner_may_see_is_sent_and_nothing_once_it_may_see_nothing(deliver: Deliver) -> None:
    by = owner("hermes")
    with http_receiver() as (server, received):
        subscribe(server, by=by)
        happen("one", module="madre")
        happen("two", module="hermes")
        deliver(is_at_the_end, "what it may see is taken")
        assert ids(received) == ["two"]
        AccessToken.objects.filter(public_id=by.principal_id).revoke(because="a test")
        happen("three", module="hermes")
        deliver(lambda: Subscription.objects.get().state == "dead", "it is dead")
    assert ids(received) == ["two"]
    assert "revoked" in Subscription.objects.get().problem


def test_a_cursor_that_a_person_sets_meanwhile_is_not_overwritten(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        happen("early")
        row, _ = subscribe(server, by=operator())
        happen("one")
        server.free.clear()
        deliver(lambda: len(received.requests) == 1, "it is being sent")
        webhooks.start_again(row, log.head().oldest)
        server.free.set()
        deliver(is_at_the_end, "it has been sent again from there")
    assert ids(received) == ["one", "early", "one"]


def claimed() -> Batch:
    (batch,) = webhooks.claim(read_rights(None), 4)
    return batch


def let_claim_end() -> None:
    Subscription.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))


def state() -> dict[str, Any]:
    return dict(Subscription.objects.values().get())


OUTCOMES = [
    pytest.param(webhooks.taken, id="taken"),
    pytest.param(lambda batch: webhooks.refused(batch, "answered 500"), id="refused"),
    pytest.param(lambda batch: webhooks.refused(batch, "answered 410", is_gone=True), id="gone"),
]


@pytest.mark.parametrize("note", OUTCOMES)
def test_what_comes_of_an_attempt_whose_claim_was_over_does_not_undo_what_its_successor_noted(
    note: Callable[[Batch], None],
) -> None:
    with http_receiver() as (server, _):
        subscribe(server)
    happen("one")
    slow = claimed()
    let_claim_end()
    happen("two")
    successor = claimed()
    # While the successor sends, and after it has.
    before = state()
    note(slow)
    assert state() == before
    webhooks.taken(successor)
    before = state()
    note(slow)
    assert state() == before
    assert (before["state"], before["seq"], before["failures"]) == ("active", log.head().last_seq, 0)


@pytest.mark.parametrize("note", OUTCOMES)
def test_what_comes_of_an_attempt_at_a_webhook_that_a_person_has_changed_meanwhile_does_not_count(
    note: Callable[[Batch], None],
) -> None:
    with http_receiver() as (server, _):
        row, _ = subscribe(server)
    happen("one")
    slow = claimed()
    webhooks.start_again(row)
    before = state()
    note(slow)
    assert state() == before


def test_the_query_of_a_webhook_that_was_changed_after_it_was_looked_for_is_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_receiver() as (server, _):
        row, _ = subscribe(server, query="disk")
    happen("one", summary="disk")
    happen("two", summary="other")
    real = clock.ask

    def change_meanwhile() -> Any:
        Subscription.objects.filter(pk=row.pk).update(query="other")
        return real()

    monkeypatch.setattr(clock, "ask", change_meanwhile)
    assert [event["event_id"] for event in orjson.loads(claimed().body)["events"]] == ["two"]
