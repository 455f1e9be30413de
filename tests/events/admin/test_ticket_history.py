"""One ticket from its issue to the end of its stream on one page; streams that are open, and can be ended."""

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.utils import timezone

from events.admin import pages as events_admin
from events.admin import ticket_history
from events.models import Node, StreamSession
from gateway.admin.deadline import read_within
from gateway.models import AccessToken, EndedStream, RightsVersion, TokenAudit
from tests.gateway.admin.people import browser_of, rows, staff
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

STREAMS = "/admin/events/streamsession/"


def node(*, seconds_ago: float = 0) -> Node:
    made = Node.objects.create(name=f"host:{uuid.uuid4().hex[:4]}")
    Node.objects.filter(pk=made.pk).update(seen_at=Now() - timedelta(seconds=seconds_ago))
    return made


def stream(**fields: Any) -> StreamSession:
    values = {"principal_id": "p-0001", "cursor": "k7f3-7", "opened_at": timezone.now(), **fields}
    return StreamSession.objects.create(id=uuid.uuid4(), **{"node": uuid.uuid4(), **values})


def audit(action: str, *, seconds: float, **fields: Any) -> TokenAudit:
    row = TokenAudit(action=action, at=timezone.now() + timedelta(seconds=seconds), **{"ticket_id": "t-0001", **fields})
    row.save()
    return row


def listed(query: str) -> set[uuid.UUID]:
    answer = browser_of(staff("auditor")).get(f"{STREAMS}?{query}")
    return {row.pk for row in answer.context["cl"].result_list}


def test_a_tickets_life_is_recorded_from_issue_to_end_in_order() -> None:
    opened = timezone.now() + timedelta(seconds=2)
    made = stream(
        ticket_id="t-0001",
        opened_at=opened,
        closed_at=opened + timedelta(seconds=90),
        end_reason="revoked",
        events_sent=1234,
        selection={"modules": ["madre"]},
    )
    audit("refused", seconds=5, reason="invalid_token: used before", address="192.0.2.9", count=3)
    audit("ticket_redeemed", seconds=2, stream_id=str(made.pk))
    audit("ticket_issued", seconds=0, principal_id="p-0001", principal_name="console", address="192.0.2.1")
    life = ticket_history.of_ticket("t-0001")
    assert life is not None
    assert [moment.kind for moment in life.moments] == [
        *("ticket_issued", "ticket_redeemed", "opened", "refused", "ended"),
    ]
    assert (life.principal_id, life.principal_name) == ("p-0001", "console")
    page = browser_of(staff("auditor")).get("/admin/tickets/t-0001").content.decode()
    for text in ("192.0.2.1", "modules: madre", "k7f3-7", "1 min 30 s", "1,234", "revoked", "192.0.2.9", "used before"):
        assert text in page
    assert f'href="{STREAMS}{made.pk}/change/"' in page
    assert 'href="/admin/principals/p-0001"' in page


def test_a_ticket_that_nothing_names_is_not_found() -> None:
    assert browser_of(staff("auditor")).get("/admin/tickets/t-none").status_code == 404


def test_a_ticket_whose_streams_row_is_gone_was_not_left_unused() -> None:
    client = browser_of(staff("auditor"))
    audit("ticket_issued", seconds=0)
    assert "No stream was opened with it." in client.get("/admin/tickets/t-0001").content.decode()
    gone = str(uuid.uuid4())
    audit("ticket_redeemed", seconds=1, stream_id=gone)
    page = client.get("/admin/tickets/t-0001").content.decode()
    assert "No stream was opened with it." not in page
    assert "No row of its stream is there." in page
    assert f"{STREAMS}{gone}/change/" not in page


def too_slow(execute: Any, sql: str, *rest: Any) -> Any:
    """A database that answers until streams are read."""
    if 'FROM "events_streamsession"' in sql:
        raise OperationalError("canceling statement due to statement timeout")
    return execute(sql, *rest)


def test_a_token_can_be_revoked_also_while_what_it_did_lately_cannot_be_read() -> None:
    token, _ = issue()
    audit("ticket_issued", seconds=0)
    client = browser_of(staff("administrator"))
    with connection.execute_wrapper(too_slow):
        page = client.get(f"/admin/gateway/accesstoken/{token.pk}/change/")
        principal = client.get(f"/admin/principals/{token.public_id}")
        ticket = client.get("/admin/tickets/t-0001")
    assert page.status_code == principal.status_code == ticket.status_code == 200
    assert "Revoke now" in page.content.decode()
    assert f"/admin/gateway/accesstoken/{token.pk}/change/" in principal.content.decode()
    for answer in (page, principal, ticket):
        assert "cannot be read in time now" in answer.content.decode()


def test_a_read_that_takes_too_long_is_given_up_and_the_next_one_is_not() -> None:
    count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) SELECT COUNT(*) FROM n"
    with pytest.raises(OperationalError), read_within(0.05), connection.cursor() as cursor:
        cursor.execute(count)
    with connection.cursor() as cursor:
        cursor.execute(count.replace("1e9", "1e5"))
        assert cursor.fetchone() == (100_000,)


def test_links_lead_only_to_pages_that_the_user_may_see() -> None:
    made = stream(ticket_id="t-0001", node=node().pk, principal_name="console")
    for role, sent in (("operator", False), ("auditor", True)):
        client = browser_of(staff(role))
        for address in (STREAMS, f"{STREAMS}{made.pk}/change/"):
            page = client.get(address).content.decode()
            assert ("/admin/tickets/t-0001" in page) == ("/admin/principals/p-0001" in page) == sent
            assert "t-0001" in page
            assert "p-0001" in page


def test_every_ticket_that_a_list_names_leads_to_its_life() -> None:
    audit("ticket_issued", seconds=0)
    stream(ticket_id="t-0002")
    client = browser_of(staff("auditor"))
    assert 'href="/admin/tickets/t-0001"' in client.get("/admin/gateway/tokenaudit/").content.decode()
    assert 'href="/admin/tickets/t-0002"' in client.get(f"{STREAMS}?state=all").content.decode()


def test_a_tokens_page_tells_what_it_did_lately_and_no_more_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_history, "PRINCIPAL_LIMIT_ROWS", 2)
    token, _ = issue()
    mine = {"principal_id": token.public_id}
    for number in range(3):
        audit("ticket_issued", seconds=number, ticket_id=f"t-1{number}", **mine)
        audit("refused", seconds=number, ticket_id=f"t-2{number}", **mine)
    audit("ticket_issued", seconds=-8 * 86_400, ticket_id="t-old", **mine)
    made = stream(**mine)
    page = browser_of(staff("administrator")).get(f"/admin/gateway/accesstoken/{token.pk}/change/").content.decode()
    shown = [ticket for ticket in ("t-10", "t-11", "t-12", "t-20", "t-21", "t-22", "t-old") if f">{ticket}<" in page]
    assert shown == ["t-11", "t-12", "t-21", "t-22"]
    assert f"{STREAMS}{made.pk}/change/" in page


def test_streams_are_filtered_by_whether_they_are_open() -> None:
    alive, dead = node(), node(seconds_ago=60)
    reading = stream(node=alive.pk)
    closed = stream(node=alive.pk, closed_at=timezone.now(), end_reason="revoked")
    lost = stream(node=dead.pk)
    assert listed("") == {reading.pk} == listed("state=open")
    assert listed("state=closed") == {closed.pk, lost.pk}
    assert listed("state=all") == {reading.pk, closed.pk, lost.pk}
    assert listed(f"q={closed.pk}") == {closed.pk}
    assert listed(f"node={alive.pk}&state=all") == {reading.pk, closed.pk}
    assert listed("ended=revoked&state=all") == {closed.pk}


def test_a_filter_for_what_is_not_offered_filters_all_the_same() -> None:
    gone = stream(principal_id="p-aaaa", closed_at=timezone.now())
    stream(principal_id="p-bbbb", closed_at=timezone.now())
    # No stream is open and no process lives, so there is nothing to choose from.
    assert listed("state=all&principal=p-aaaa") == {gone.pk} == listed(f"state=all&node={gone.node}")
    assert listed(f"state=all&node={uuid.uuid4()}") == set() == listed("state=all&node=zz")
    answer = browser_of(staff("auditor")).post(f"{STREAMS}export/?state=all&principal=p-aaaa")
    assert "p-aaaa" in answer.content.decode()
    assert "p-bbbb" not in answer.content.decode()


def disconnect(user_roles: tuple[str, ...], *streams: StreamSession, confirmed: bool = True) -> Any:
    values = {"action": "disconnect", "index": "0", "_selected_action": [str(each.pk) for each in streams]}
    return browser_of(staff(*user_roles, name="ana")).post(
        STREAMS, values | {"confirmed": "yes"} if confirmed else values
    )


def test_disconnecting_asks_first_and_tells_how_to_keep_the_client_out() -> None:
    token, _ = issue()
    made = stream(node=node().pk, principal_id=token.public_id)
    page = disconnect(("administrator",), made, confirmed=False).content.decode()
    assert "comes back by itself" in page
    assert f'href="/admin/gateway/accesstoken/{token.pk}/change/"' in page
    assert not EndedStream.objects.exists()
    assert rows("stream_disconnected") == []


def test_disconnected_streams_are_recorded_to_every_process_and_are_a_row_each_with_the_actor() -> None:
    alive = node()
    streams = [stream(node=alive.pk, ticket_id=f"t-000{number}") for number in range(2)]
    other = stream(node=alive.pk)
    before = RightsVersion.current()
    assert disconnect(("administrator",), *streams).status_code == 302
    assert set(EndedStream.objects.values_list("stream_id", flat=True)) == {str(each.pk) for each in streams}
    assert RightsVersion.current() > before
    recorded = {(row.stream_id, row.ticket_id, row.principal_id, row.actor) for row in rows("stream_disconnected")}
    assert recorded == {(str(each.pk), each.ticket_id, "p-0001", "ana") for each in streams}
    assert str(other.pk) not in {stream_id for stream_id, *_ in recorded}


def many_streams(count: int, **fields: Any) -> None:
    values = {"principal_id": "p-0001", "cursor": "k7f3-7", "opened_at": timezone.now(), **fields}
    StreamSession.objects.bulk_create([StreamSession(id=uuid.uuid4(), **values) for _ in range(count)])


def test_of_very_many_streams_so_many_are_ended_at_a_time_and_the_page_that_asks_says_so() -> None:
    alive = node()
    many_streams(1200, node=alive.pk)
    # Newer ones that are over do not crowd out those that are open.
    many_streams(600, node=alive.pk, opened_at=timezone.now() + timedelta(hours=1), closed_at=timezone.now())
    client = browser_of(staff("administrator"))
    some = str(StreamSession.objects.filter(closed_at=None).values_list("pk", flat=True)[0])
    chosen = {"action": "disconnect", "index": "0", "select_across": "1", "_selected_action": [some]}
    asked = client.post(f"{STREAMS}?state=all", chosen).content.decode()
    limit = events_admin.DISCONNECT_LIMIT_STREAMS
    assert f"{limit} streams will end" in asked
    assert f"{1200 - limit} more of those you selected are open and will go on" in asked
    # What a browser then sends: every field of the form.
    fields = re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', asked)
    form: dict[str, list[str]] = {}
    for name, value in fields:
        form.setdefault(name, []).append(value)
    answer = client.post(f"{STREAMS}?state=open", form)
    assert answer.status_code == 302
    assert [str(message) for message in get_messages(answer.wsgi_request)] == [
        f"{limit} streams end within two seconds."
    ]
    assert EndedStream.objects.count() == limit


def test_streams_that_are_over_are_not_disconnected() -> None:
    disconnect(("administrator",), stream(node=node().pk, closed_at=timezone.now()))
    assert rows("stream_disconnected") == []


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_w09_who_may_see_streams_may_not_end_them(role: str) -> None:
    made = stream(node=node().pk)
    disconnect((role,), made)
    assert not EndedStream.objects.exists()
    assert "Disconnect" not in browser_of(staff(role)).get(f"{STREAMS}{made.pk}/change/").content.decode()


def test_an_open_streams_page_has_the_button_and_a_closed_ones_has_not() -> None:
    client = browser_of(staff("administrator"))
    alive = node()
    for closed_at in (None, timezone.now()):
        page = client.get(f"{STREAMS}{stream(node=alive.pk, closed_at=closed_at).pk}/change/").content.decode()
        assert ("Disconnect" in page) == (closed_at is None)


def test_a_revoked_tokens_page_offers_no_revocation() -> None:
    token, _ = issue()
    client = browser_of(staff("administrator"))
    address = f"/admin/gateway/accesstoken/{token.pk}/change/"
    assert "Revoke now" in client.get(address).content.decode()
    AccessToken.objects.revoke(because="test")
    assert "Revoke now" not in client.get(address).content.decode()
