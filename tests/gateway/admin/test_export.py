"""What is filtered can be taken along as CSV, in which nothing is a formula; and what people wrote is shown as text."""

import csv
import io

import pytest
from django.utils.html import escape

from gateway.admin import csv_export
from gateway.csv_cells import defused
from gateway.models import TokenAudit
from tests.gateway.admin.people import browser_of, rows, staff

AUDIT = "/admin/gateway/tokenaudit/"
PAYLOADS = (
    "'--",
    "<img src=x onerror=alert(1)>",
    "=cmd()",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "@SUM(1)",
    "+1",
    "-1",
    "|calc",
)
FORMULAS = (
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\tplain"),
    *(" =1", "  \t =1", "'=1", '"=1', "' =1", '"\t@x', "\u00a0=1", "\ufeff=1", "\u200b=1", "\uff1d1"),
    *("\u200c=1", "\u2060=1", "\u00ad@x", "\u202e=1", "\u3000=1", "\ufe62" + "1", "\ufe63" + "1", "\u2028=1"),
)


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.parametrize("text", FORMULAS)
def test_p12_what_a_spreadsheet_takes_for_a_formula_is_defused_and_loses_nothing(text: str) -> None:
    assert defused(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "a=b", "p-3f9a0c12de", "1", "2026-11-22", "{{7*7}}", "é", "x\t=1"])
def test_p12_other_texts_stay_as_they_are(text: str) -> None:
    assert defused(text) == text


@pytest.mark.parametrize(
    "control", ["\x00", "\x07", "\x08", "\x0b", "\x0c", "\r", "\x1b[31m", "\x7f", "\x9b2J", "\x85"]
)
def test_n14_a_control_character_is_written_in_a_cell_as_its_escape(control: str) -> None:
    for text in (f"a{control}b", f"{control}=1", f"={control}1"):
        shown = defused(text)
        assert control[0] not in shown
        assert "\\" in shown
        assert not shown.startswith("=")


@pytest.mark.usefixtures("ledger")
class TestExport:
    def test_p12_what_people_wrote_is_text_in_the_admin_and_harmless_in_csv(self) -> None:
        for text in PAYLOADS:
            TokenAudit(action="refused", reason=text, principal_name=text, address="192.0.2.1").save()
        client = browser_of(staff("auditor"))
        page = client.get(f"{AUDIT}?action__exact=refused").content.decode()
        for text in PAYLOADS:
            assert f'<td class="field-details">{escape(text)}</td>' in page
        assert "<img src=x" not in page
        table = read(client.post(f"{AUDIT}export/?action__exact=refused").content)
        column = table[0].index("reason")
        assert [row[column] for row in table[1:]] == [defused(text) for text in reversed(PAYLOADS)]
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in table for cell in row)

    def test_the_export_holds_what_is_filtered_newest_first_and_is_itself_on_record(self) -> None:
        for number in range(3):
            TokenAudit(action="refused", reason=f"r{number}", ticket_id="t-aaaa").save()
        TokenAudit(action="ticket_issued", ticket_id="t-aaaa").save()
        auditor = staff("auditor", name="aud")
        answer = browser_of(auditor).post(f"{AUDIT}export/?action__exact=refused&q=t-aaaa")
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="tokenaudit-')
        table = read(answer.content)
        assert [row[table[0].index("reason")] for row in table[1:]] == ["r2", "r1", "r0"]
        (row,) = rows("exported")
        assert (row.actor, row.reason) == ("aud", "3 rows of token audit; action__exact=refused, search t-aaaa")

    def test_what_was_searched_for_is_not_kept_unless_it_is_a_public_id(self) -> None:
        browser_of(staff("auditor")).post(f"{AUDIT}export/?q=pasted-by-mistake")
        (row,) = rows("exported")
        assert row.reason == "0 rows of token audit; search, last 7 days"

    def test_an_export_has_an_end_and_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(csv_export, "EXPORT_LIMIT_ROWS", 2)
        for number in range(3):
            TokenAudit(action="refused", reason=f"r{number}").save()
        table = read(browser_of(staff("auditor")).post(f"{AUDIT}export/?action__exact=refused").content)
        assert [row[table[0].index("reason")] for row in table[1:3]] == ["r2", "r1"]
        assert table[3:] == [["Only the newest 2 rows are here. Narrow the filter for others."]]
        assert rows("exported")[0].reason.startswith("2 rows of token audit, cut;")

    def test_what_is_cut_off_is_what_is_oldest_however_the_list_is_sorted(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(csv_export, "EXPORT_LIMIT_ROWS", 2)
        for number in range(4):
            TokenAudit(action="refused", reason=f"r{number}").save()
        table = read(browser_of(staff("auditor")).post(f"{AUDIT}export/?action__exact=refused&o=1").content)
        assert [row[table[0].index("reason")] for row in table[1:3]] == ["r3", "r2"]

    @pytest.mark.parametrize(
        "query",
        ["nonsense=1", "at__gte=xyz", "id__exact=zz", "count__gt=x", "when=ever", "action__exact=%00", "digest=%00"],
    )
    def test_a_filter_that_means_nothing_exports_nothing(self, query: str) -> None:
        client = browser_of(staff("auditor"))
        client.raise_request_exception = False
        assert client.post(f"{AUDIT}export/?{query}").status_code == 400
        assert rows("exported") == []

    def test_as_many_rows_as_fit_are_not_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(csv_export, "EXPORT_LIMIT_ROWS", 3)
        for _ in range(3):
            TokenAudit(action="refused").save()
        table = read(browser_of(staff("auditor")).post(f"{AUDIT}export/?action__exact=refused").content)
        assert [len(row) for row in table] == [len(table[0])] * 4

    def test_w09_an_export_needs_the_right_to_see_the_list_and_a_post(self) -> None:
        assert browser_of(staff("operator")).post(f"{AUDIT}export/").status_code == 403
        assert browser_of(staff("auditor")).get(f"{AUDIT}export/").status_code == 405
        assert rows("exported") == []

    def test_streams_can_be_exported_too(self) -> None:
        answer = browser_of(staff("operator")).post("/admin/events/streamsession/export/?state=all")
        assert read(answer.content)[0][:3] == ["opened_at", "closed_at", "end_reason"]
        assert len(rows("exported")) == 1
