"""Receivers that send a byte now and then: the attempt ends in its time, and its thread with it."""

import socket
import threading
from typing import Any

import pytest

from tests.waiting import wait_until
from tests.watches.delivery.conftest import Deliver
from tests.watches.delivery.dripping import dripping_receiver
from tests.watches.delivery.hanging_mail import DRIPPING, hanging_mail_server
from tests.watches.delivery.test_hanging_mail import mail_address
from tests.watches.delivery.test_notices import fire, target
from tests.watches.delivery.test_webhooks import subscribe
from tests.watches.samples import happen
from watches.delivery import attempts, connections, senders
from watches.delivery.connections import Connections, TimeIsOver
from watches.delivery.guard import guarded
from watches.models import Notice, Subscription

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "ATTEMPT_SECONDS", 1.0)


@pytest.fixture
def all_end() -> Any:
    """No thread of an attempt is left, though the receiver goes on."""
    return lambda: not [thread for thread in threading.enumerate() if thread.name == "delivery-attempt"]


def test_a_webhook_does_not_wait_for_the_end_of_an_answer_that_has_none(deliver: Deliver, all_end: Any) -> None:
    with dripping_receiver() as receiver:
        subscribe(receiver)
        happen("one")
        deliver(lambda: Subscription.objects.get().failures == 1, "the attempt ends in its time")
        assert Subscription.objects.get().problem == "no answer within 1 s"
        wait_until(all_end, "its thread has ended")
        wait_until(lambda: receiver.cut == receiver.connections == 1, "the receiver sees the end")


def test_a_notice_does_not_either(deliver: Deliver, all_end: Any) -> None:
    with dripping_receiver() as receiver:
        address = f"json://127.0.0.1:{receiver.port}/"
        # Imports Apprise, which is no time of an attempt.
        senders.instantiate(address)
        target(address)
        fire("one", "there")
        deliver(lambda: Notice.objects.get().attempts == 1, "the attempt ends in its time")
        assert Notice.objects.get().problem == "no answer within 1 s"
        wait_until(all_end, "its thread has ended")
        wait_until(lambda: receiver.cut == receiver.connections == 1, "the receiver sees the end")


def test_a_letter_does_not_wait_for_the_end_of_a_greeting_that_has_none(deliver: Deliver, all_end: Any) -> None:
    with hanging_mail_server(DRIPPING) as server:
        senders.instantiate(mail_address(server.port))
        target(mail_address(server.port))
        fire("one", "there")
        deliver(lambda: Notice.objects.get().attempts == 1, "the attempt ends in its time")
        wait_until(all_end, "its thread has ended")


@pytest.mark.usefixtures("here_allowed")
def test_a_connection_is_cut_also_when_its_socket_has_become_another_object() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Connections().of_this_thread(), guarded():
        here = connections._here.connections
        assert here is not None
        plain = socket.create_connection(listener.getsockname())
        # As ssl does.
        with socket.socket(fileno=plain.detach()) as speaking:
            threading.Timer(0.05, here.cut).start()
            assert speaking.recv(1) == b""
            with pytest.raises(TimeIsOver):
                socket.create_connection(listener.getsockname())
