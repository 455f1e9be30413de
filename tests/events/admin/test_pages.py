"""The auditor's page of events: it lists what the log holds, and nothing that was pruned from it."""

import pytest
from django.contrib import admin
from django.http import HttpRequest

from events.admin.pages import EventAdmin
from events.log.tables import Event, LogHead
from tests.events.samples import append_events

pytestmark = pytest.mark.usefixtures("ledger")


def test_events_that_were_pruned_are_not_listed_while_their_rows_wait_for_deletion() -> None:
    append_events(5)
    first = LogHead.objects.get().last_seq - 2
    LogHead.objects.update(oldest_seq=first)
    listed = EventAdmin(Event, admin.site).get_queryset(HttpRequest())
    assert sorted(event.seq for event in listed) == [first, first + 1, first + 2]
    assert Event.objects.count() >= 5
