"""Finding things in long lists: searches ask one column, filters have few choices, counting has an end."""

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.admin import audited
from gateway.admin.searching import condition
from gateway.models import TokenAudit
from tests.gateway.admin_people import browser_of, staff

pytestmark = pytest.mark.usefixtures("ledger")

AUDIT = "/admin/gateway/tokenaudit/"
STREAM_ID = str(uuid.UUID(int=7))
ROW = {
    "ticket_id": "t-3f9a0c12de",
    "principal_id": "p-3f9a0c12de",
    "address": "2001:db8::1",
    "correlation_id": "run-7",
    "stream_id": STREAM_ID,
    "principal_name": "the console",
    "actor": "ana",
}


def found(query: str) -> list[str]:
    """Reasons of the rows that are listed."""
    listed = browser_of(staff("auditor")).get(f"{AUDIT}?{query}").context["cl"].result_list
    return [row.reason for row in listed if row.action != "signed_in"]


@pytest.mark.parametrize("field", ROW)
def test_a_row_is_found_by_each_of_its_ids(field: str) -> None:
    TokenAudit(action="refused", reason="this", **ROW).save()
    TokenAudit(action="refused", reason="other").save()
    assert found(f"q={ROW[field]}") == ["this"]
    assert found(f"q={ROW[field]}x") == []


@pytest.mark.parametrize("field", ["ticket_id", "principal_id", "correlation_id"])
def test_a_search_for_an_id_uses_its_index(field: str) -> None:
    wanted = condition(ROW[field], stream_field="stream_id", otherwise=())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # On a table this small it would rather read all of it.
            cursor.execute("SET enable_seqscan = off")
        plan = TokenAudit.objects.filter(wanted).order_by().explain()
    assert f"audit_{field.removesuffix('_id')}" in plan


def test_refusals_are_filtered_by_what_the_caller_was_told() -> None:
    for reason in (
        "main_auth_failed: revoked",
        "main_auth_failed",
        "main_auth_failed_otherwise",
        "invalid_token: used",
    ):
        TokenAudit(action="refused", reason=reason).save()
    TokenAudit(action="token_revoked", reason="main_auth_failed").save()
    assert set(found("refused=main_auth_failed")) == {"main_auth_failed: revoked", "main_auth_failed"}


def test_rows_are_filtered_by_who_did_it() -> None:
    for actor in ("", "ana", "manage.py revoke_token"):
        TokenAudit(action="admin_changed", actor=actor, reason=actor or "nobody").save()
    assert found("actor=ana") == ["ana"]
    assert found("actor=manage.py") == ["manage.py revoke_token"]
    assert set(found("actor=*")) == {"ana", "manage.py revoke_token"}


def test_a_list_counts_so_far_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audited, "COUNT_LIMIT_ROWS", 5)
    for _ in range(8):
        TokenAudit(action="refused").save()
    changes = browser_of(staff("auditor")).get(f"{AUDIT}?action__exact=refused").context["cl"]
    assert changes.result_count == 5


def test_a_list_asks_the_same_few_queries_however_long_it_is() -> None:
    client = browser_of(staff("auditor"))
    counts = []
    for _ in range(2):
        for number in range(10):
            TokenAudit(action="refused", ticket_id=f"t-000{number}", principal_id="p-0001").save()
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(AUDIT).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
