"""Notices by real mail and HTTP servers: what arrives, what is tried again, and what becomes of it in the end."""

import threading
from datetime import timedelta

import orjson
import pytest
from django.utils import timezone

from events.models import Event
from tests.waiting import wait_until
from tests.watches.delivery.conftest import Deliver
from tests.watches.delivery.receivers import http_receiver, mail_server
from tests.watches.samples import create, evaluate, happen, owner
from watches import outbox
from watches.delivery import attempts, delivering, queue, secrets
from watches.delivery.addresses import masked
from watches.models import Notice, Target

pytestmark = pytest.mark.usefixtures("ledger")


def target(address: str, name: str = "there") -> Target:
    return Target.objects.create(name=name, address=secrets.encrypt(address), masked=masked(address))


def fire(event_id: str, *names: str, group_by: str = "") -> None:
    create(owner(), name="disk watch", query="disk", notify=list(names), group_by=group_by)
    happen(event_id, summary="disk full")
    evaluate()


def hurry() -> None:
    """The time for which a target is left alone is over."""
    Target.objects.update(next_try_at=None)


def test_a_firing_arrives_by_mail_with_the_id_of_its_notice(deliver: Deliver) -> None:
    with mail_server() as box:
        target(f"mailto://127.0.0.1:{box.port}?from=vx11@a.example&to=olga@b.example&mode=insecure")
        fire("one", "there")
        deliver(lambda: Notice.objects.get().state == "sent", "the letter is sent")
    (letter,) = box.letters
    notice = Notice.objects.get()
    assert letter["Subject"] == "disk watch: fired"
    assert letter["X-VX11-Notice"] == str(notice.pk)
    part = letter.get_payload(0) if letter.is_multipart() else letter
    text = part.get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "Query: disk" in text
    assert str(notice.pk) in text
    assert notice.sent_at is not None


def test_a_firing_arrives_by_http(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        target(f"json://127.0.0.1:{server.port}/hook")
        fire("one", "there")
        deliver(lambda: Notice.objects.get().state == "sent", "the notice is sent")
    ((path, headers, body),) = received.requests
    assert (path, headers["x-vx11-notice"]) == ("/hook", str(Notice.objects.get().pk))
    assert orjson.loads(body)["title"] == "disk watch: fired"


@pytest.mark.parametrize("reply", ["451 try again", "554 refused", "451 failed after it was taken"])
def test_a_mail_server_that_fails_is_asked_again_and_the_letter_has_the_same_id(deliver: Deliver, reply: str) -> None:
    with mail_server() as box:
        box.replies = [reply, "250 OK"]
        target(f"mailto://127.0.0.1:{box.port}?from=vx11@a.example&to=olga@b.example&mode=insecure")
        fire("one", "there")
        deliver(lambda: Notice.objects.get().attempts == 1, "the first attempt fails")
        there = Target.objects.get()
        assert there.failing_since is not None
        assert there.next_try_at is not None
        assert there.next_try_at > timezone.now()
        hurry()
        deliver(lambda: Notice.objects.get().state == "sent", "the second attempt does not fail")
    assert {letter["X-VX11-Notice"] for letter in box.letters} == {str(Notice.objects.get().pk)}
    assert len(box.letters) == (2 if "after" in reply else 1)
    assert Target.objects.get().failing_since is None


def test_a_server_that_hangs_costs_its_time_and_does_not_hold_up_others(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 0.5)
    with http_receiver() as (hanging, _), http_receiver() as (server, received):
        hanging.free.clear()
        target(f"json://127.0.0.1:{hanging.port}/", "hangs")
        target(f"json://127.0.0.1:{server.port}/", "works")
        fire("one", "hangs", "works")
        deliver(lambda: Notice.objects.filter(state="sent").exists(), "the other one is sent")
        deliver(lambda: Notice.objects.get(target__name="hangs").attempts == 1, "the attempt ends in its time")
        assert "no answer within" in Notice.objects.get(target__name="hangs").problem
    assert len(received.requests) == 1


def test_with_too_many_threads_that_hang_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 0.0)
    monkeypatch.setattr(attempts, "STUCK_LIMIT", 2)
    release = threading.Event()

    def wait(_job: int) -> None:
        release.wait()

    some = attempts.Attempts[int]()
    for number in range(2):
        some.begin(number, wait)
        ((job, error, _),) = some.ended()
        assert (job, type(error)) == (number, attempts.TookTooLong)
    assert some.room == 0
    release.set()
    wait_until(lambda: not some.ended() and some.room > 0, "the threads have ended")


def test_after_a_day_a_notice_is_dead_and_is_sent_again_by_hand(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        received.answers = [500]
        target(f"json://127.0.0.1:{server.port}/")
        fire("one", "there")
        deliver(lambda: Notice.objects.get().attempts == 1, "the first attempt fails")
        # The database counts in milliseconds.
        Notice.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert queue.bury() == 1
        hurry()
        assert (queue.claim(4), Notice.objects.get().state) == ([], "dead")
        received.answers = [200]
        assert queue.send_again(Notice.objects.all()) == 1
        deliver(lambda: Notice.objects.get().state == "sent", "it is sent")
    ids = {headers["x-vx11-notice"] for _, headers, _ in received.requests}
    assert ids == {str(Notice.objects.get().pk)}


def test_while_a_target_is_left_alone_what_fires_is_one_notice(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        received.answers = [500]
        target(f"json://127.0.0.1:{server.port}/")
        fire("one", "there", group_by="correlation_id")
        deliver(lambda: Notice.objects.get().attempts == 1, "the first attempt fails")
        for number in range(5):
            happen(f"more-{number}", summary="disk", correlation_id=f"c{number}")
            evaluate()
            assert queue.claim(4) == []
        received.answers = [200]

        def are_sent() -> bool:
            hurry()
            return not Notice.objects.filter(state="pending").exists()

        deliver(are_sent, "all are sent")
    titles = [orjson.loads(body)["title"] for _, _, body in received.requests]
    assert titles == ["disk watch: fired", "disk watch: fired", "disk watch: fired 5 times"]


def test_a_process_that_dies_between_claim_and_sending_leaves_the_notice_to_another(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        target(f"json://127.0.0.1:{server.port}/")
        fire("one", "there")
        assert len(queue.claim(4)) == 1
        assert queue.claim(4) == []
        Notice.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        deliver(lambda: Notice.objects.get().state == "sent", "another process sends it")
    assert len(received.requests) == 1


def test_groups_are_alerts_of_an_alertmanager_that_fire_and_end(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        target(f"alertmanager://user:pass@127.0.0.1:{server.port}/am/")
        count = {"kind": "count", "at_least": 1, "within_sec": 1}
        create(owner(), name="disk", condition=count, group_by="module", notify=["there"])
        happen("one", module="a")
        evaluate()
        deliver(lambda: Notice.objects.filter(state="sent").count() == 1, "the alert is sent")
        Event.objects.update(created_at=timezone.now() - timedelta(seconds=5))
        deliver(lambda: evaluate() and Notice.objects.filter(state="sent").count() == 2, "its end is sent")
    (path, headers, body), (_, _, end) = received.requests
    (alert,), (ended,) = orjson.loads(body), orjson.loads(end)
    assert path == "/am/api/v2/alerts"
    assert headers["authorization"].startswith("Basic ")
    assert alert["labels"] == {"alertname": "disk", "watch_id": alert["labels"]["watch_id"], "group": "a"}
    assert "endsAt" not in alert
    assert ended["labels"] == alert["labels"]
    assert ended["startsAt"] == alert["startsAt"]
    assert ended["endsAt"] >= ended["startsAt"]


def test_a_test_of_a_target_arrives(deliver: Deliver) -> None:
    with http_receiver() as (server, received):
        there = target(f"json://127.0.0.1:{server.port}/")
        outbox.add_test(there, now=timezone.now())
        deliver(lambda: Notice.objects.get().state == "sent", "the test is sent")
    assert orjson.loads(received.requests[0][2])["title"] == "VX11 Operator: test of there"


def test_an_address_of_another_secret_key_fails_and_says_so(deliver: Deliver, settings: object) -> None:
    there = target("json://127.0.0.1:1/")
    outbox.add_test(there, now=timezone.now())
    settings.SECRET_KEY = "another-key-" * 5  # type: ignore[attr-defined]
    deliver(lambda: Notice.objects.get().attempts == 1, "the attempt fails")
    assert "set it again" in Notice.objects.get().problem


def test_what_is_stored_and_logged_of_a_failure_holds_no_address(
    deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    there = target("json://user:geheim@127.0.0.1:1/geheim456")
    outbox.add_test(there, now=timezone.now())
    deliver(lambda: Notice.objects.get().attempts == 1, "the attempt fails")
    notice = Notice.objects.get()
    assert notice.problem
    assert "geheim" not in notice.problem + caplog.text + there.masked + there.address
    assert delivering.logger.name == "watches.delivery.delivering"
