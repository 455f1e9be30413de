"""Finding things in long lists: searches ask one column, filters have few choices, counting has an end."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.admin import ticket_history
from gateway.admin import audited
from gateway.models import TokenAudit
from tests.gateway.admin.people import browser_of, rows, staff
from tests.gateway.query_plans import full_scans, plans

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


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("q=t-3f9a0c12de", "audit_ticket"),
        ("q=p-3f9a0c12de", "audit_principal"),
        (f"q={STREAM_ID}", "audit_stream"),
        ("q=run-7", "audit_correlation"),
        ("q=2001:db8::1", "audit_at"),
        ("q=ana", "audit_at"),
        ("actor=ana", "audit_actor"),
        ("actor=*", "audit_actor"),
        ("actor=manage.py", "audit_actor"),
        ("action__exact=token_revoked", "audit_rare"),
        ("refused=main_auth_failed", "audit_rare"),
    ],
)
def test_no_search_and_no_filter_for_what_is_rare_reads_all_of_the_audit(query: str, index: str) -> None:
    TokenAudit(action="refused", reason="main_auth_failed", **ROW).save()
    client = browser_of(staff("auditor"))
    lines = plans("gateway_tokenaudit", lambda: client.get(f"{AUDIT}?{query}"))
    assert any(index in line for line in lines)
    assert full_scans(lines, small=("audit_actor", "audit_rare")) == []


@pytest.mark.parametrize("term", [STREAM_ID, "t-3f9a0c12de", "p-3f9a0c12de", "run-7", "192.0.2.1", "ana"])
def test_no_search_reads_all_streams(term: str) -> None:
    client = browser_of(staff("auditor"))
    lines = plans("events_streamsession", lambda: client.get(f"/admin/events/streamsession/?q={term}&state=all"))
    # The filter of principals counts the streams that are open.
    assert full_scans([line for line in lines if "stream_closed" not in line]) == []


def test_the_refusals_of_a_principal_are_not_looked_for_among_its_tickets() -> None:
    assert any(
        "audit_refused" in line for line in plans("gateway_tokenaudit", lambda: ticket_history.of_principal("p-0001"))
    )


@pytest.mark.parametrize("term", ["2001:DB8:0::1", "2001:db8::1"])
def test_an_address_is_found_however_it_is_written(term: str) -> None:
    TokenAudit(action="refused", reason="this", address="2001:db8::1").save()
    assert found(f"q={term}") == ["this"]


@pytest.mark.parametrize("given", ["10.0.0.1", "t-abcd", "p-abcd", "u-7", STREAM_ID])
def test_an_id_that_a_caller_made_up_is_found_whatever_it_looks_like(given: str) -> None:
    TokenAudit(action="refused", reason="this", correlation_id=given).save()
    assert found(f"q={given}") == ["this"]


def test_names_and_addresses_are_searched_within_the_last_days_and_the_page_says_so() -> None:
    for days in (1, 8):
        at = timezone.now() - timedelta(days=days)
        TokenAudit(action="refused", reason=f"{days}", at=at, address="192.0.2.7", principal_name="bo").save()
    client = browser_of(staff("auditor"))
    for term in ("192.0.2.7", "bo"):
        assert found(f"q={term}") == ["1"]
        assert found(f"q={term}&when=30d") == ["1", "8"]
        assert "within the last 7 days" in client.get(f"{AUDIT}?q={term}").content.decode()
        assert "within the last 7 days" not in client.get(f"{AUDIT}?q={term}&when=30d").content.decode()
    client.post(f"{AUDIT}export/?q=bo")
    assert rows("exported")[0].reason == "1 rows of token audit; search, last 7 days"


def test_a_token_list_is_not_narrowed_by_a_digest() -> None:
    client = browser_of(staff("auditor"))
    assert client.get("/admin/gateway/accesstoken/?digest__startswith=a").status_code == 400
    assert client.get("/admin/gateway/accesstoken/?kind__exact=principal").status_code == 200


@pytest.mark.parametrize("address", [f"{AUDIT}?action__exact=\0", "/admin/tickets/t-\0", "/admin/principals/\0"])
def test_a_nul_in_an_address_is_refused_at_the_edge(address: str) -> None:
    answer = browser_of(staff("auditor")).get(address.replace("\0", "%00"))
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")


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
        with CaptureQueriesContext(connection) as asked:
            assert client.get(AUDIT).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]
