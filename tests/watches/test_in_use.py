"""What is not set up costs a process one short statement a second."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.watches.samples import owner
from watches import in_use
from watches.delivery.delivering import Delivering
from watches.evaluation.log_reader import LogReader
from watches.models import Subscription, Target

pytestmark = pytest.mark.usefixtures("ledger")


def test_without_watches_a_look_is_one_statement() -> None:
    with CaptureQueriesContext(connection) as asked:
        LogReader().step()
    assert len(asked) == 1
    assert not in_use.has_watches()


def test_without_targets_and_webhooks_a_look_is_one_statement() -> None:
    delivering = Delivering()
    # The first look also counts what is dead.
    delivering.look()
    with CaptureQueriesContext(connection) as asked:
        delivering.look()
    assert len(asked) == 1


def test_a_target_or_a_webhook_is_something_to_deliver_to() -> None:
    assert not in_use.has_receivers()
    target = Target.objects.create(name="mail", address="x", masked="x")
    assert in_use.has_receivers()
    target.delete()
    Subscription.objects.create(name="siem", owner_id=owner().principal_id, epoch="e", seq=0, created_at=timezone.now())
    assert in_use.has_receivers()
