"""Mail servers that hang: the attempt ends in its time, others are sent meanwhile, and the notice is tried again."""

import time

import pytest

from tests.watches.delivery.conftest import Deliver
from tests.watches.delivery.hanging_mail import AFTER_EHLO, KINDS, SILENT, HangingMailServer, hanging_mail_server
from tests.watches.delivery.receivers import mail_server
from tests.watches.delivery.test_notices import fire, hurry, target
from watches.delivery import attempts, senders
from watches.models import Notice, Target

pytestmark = pytest.mark.usefixtures("ledger")


def mail_address(port: int) -> str:
    return f"mailto://127.0.0.1:{port}?from=vx11@a.example&to=olga@b.example&mode=insecure"


def hang_once_and_be_tried_again(deliver: Deliver, server: HangingMailServer) -> str:
    """The problem of the first attempt. Another target is served while it hangs, and this one when it does no more."""
    # Imports Apprise, which is no time of an attempt.
    senders.instantiate(mail_address(server.port))
    with mail_server() as box:
        target(mail_address(server.port), "hangs")
        target(mail_address(box.port), "works")
        fire("one", "hangs", "works")
        hanging = Notice.objects.filter(target__name="hangs")
        deliver(lambda: server.connections == 1 and box.letters, "the other one is sent")
        begun_at = time.monotonic()
        deliver(lambda: hanging.get().attempts == 1, "the attempt ends in its time")
        assert time.monotonic() - begun_at < attempts.ATTEMPT_SECONDS + 3
        problem = hanging.get().problem
        assert Target.objects.get(name="hangs").failures == 1
        assert Target.objects.get(name="works").failures == 0
        server.recover()
        hurry()
        deliver(lambda: hanging.get().state == "sent", "it is tried again")
    assert server.connections == 2
    assert Target.objects.get(name="hangs").failing_since is None
    return problem


@pytest.mark.parametrize("kind", KINDS)
def test_an_attempt_at_a_mail_server_that_hangs_ends_in_its_time_and_others_go_on(
    kind: str, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 2.0)
    with hanging_mail_server(kind) as server:
        assert hang_once_and_be_tried_again(deliver, server) == "no answer within 2 s"


@pytest.mark.parametrize("kind", [SILENT, AFTER_EHLO])
def test_a_mail_server_that_is_silent_does_not_hold_its_thread_for_the_whole_attempt(
    kind: str, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CONNECT_SECONDS", "READ_SECONDS"):
        monkeypatch.setattr(senders, name, 0.5)
    with hanging_mail_server(kind) as server:
        begun_at = time.monotonic()
        problem = hang_once_and_be_tried_again(deliver, server)
        assert time.monotonic() - begun_at < attempts.ATTEMPT_SECONDS / 2
        assert "no answer within" not in problem
