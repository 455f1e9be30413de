"""What fired and what was sent goes with the audit; what has not ended, or was not sent yet, stays."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.jobs import retention
from tests.watches.samples import create, owner, target
from watches.models import Firing, Notice, Watch

pytestmark = pytest.mark.usefixtures("ledger")
OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)


def firing(watch: Watch, fired_at: datetime, resolved_at: datetime | None = None) -> Firing:
    return Firing.objects.create(watch=watch, fired_at=fired_at, resolved_at=resolved_at, count=1, cursor="x-1")


def test_old_firings_that_have_ended_go_and_those_that_go_on_stay() -> None:
    state, each = create(owner(), condition={"kind": "absence", "for_sec": 60}), create(owner())
    firing(state, OLD, OLD)
    firing(each, OLD)
    stay = {firing(state, OLD), firing(state, OLD, NEW), firing(each, NEW)}
    assert (
        retention.purge(NEW - timedelta(days=90), actor="a test", after_batch=lambda _name, _rows: None)[
            "firings of watches"
        ]
        == 2
    )
    assert set(Firing.objects.all()) == stay


def test_old_notices_go_unless_they_are_still_to_be_sent() -> None:
    mail = target()
    for state in Notice.State.values:
        for at in (OLD, NEW):
            Notice.objects.create(target=mail, content={}, state=state, created_at=at, due_at=at, expires_at=at)
    assert (
        retention.purge(NEW - timedelta(days=90), actor="a test", after_batch=lambda _name, _rows: None)["notices"] == 2
    )
    assert Notice.objects.filter(created_at=OLD).get().state == "pending"
