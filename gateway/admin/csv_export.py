"""Lists of the admin as CSV: the rows that pass the filter, with cells that no spreadsheet takes for a formula."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from gateway.admin.audited import AuditedAdmin, acting_in
from gateway.admin.searching import is_public_id
from gateway.models import REASON_LENGTH, TokenAudit
from gateway.redaction import redact
from ledger import clock
from vx11_client.terminal_text import shown

# Rows of one file, the newest ones: about 10 MB, which is made in memory. If more match, its last line says so.
EXPORT_LIMIT_ROWS = 50_000
CUT_NOTE = "Only the newest {limit} rows are here. Narrow the filter for others."
# Control characters act on a terminal in which the file is shown. Cells may hold line ends and tabs.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Spreadsheets skip quotes, spaces and invisible characters; the first character after them may begin a formula. Some
# spreadsheets also take ＝ and ﹢ for such a character.
_SKIPPED = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_BEGINS_FORMULA = frozenset("=+-@")


def defused(value: Any) -> str:
    """The value as text that a spreadsheet shows unchanged: a quote in front keeps it from being a formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    text = _CONTROL.sub(lambda found: shown(found[0]), text)
    return f"'{text}" if _may_be_formula(text) else text


def _may_be_formula(text: str) -> bool:
    if text[:1] in ("\t", "\n"):
        return True
    first = next((sign for sign in text if sign not in "\"'" and unicodedata.category(sign) not in _SKIPPED), "")
    return unicodedata.normalize("NFKC", first)[:1] in _BEGINS_FORMULA


def as_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8 with a byte order mark, by which spreadsheets recognise it; every cell quoted."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows([defused(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8-sig")


class ExportAdmin(AuditedAdmin):
    """Adds "Export CSV" to a list. By POST alone: it leaves an audit row, and a link must not cause that."""

    change_list_template = "admin/exportable_change_list.html"
    export_fields: Sequence[str] = ()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.export_view))
        return [path("export/", view, name=f"{self.opts.app_label}_{self.opts.model_name}_export"), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        changes = self.get_changelist_instance(request)
        # Newest first, however the list is sorted: the limit cuts off the oldest rows.
        found = changes.get_queryset(request).order_by(*self.opts.ordering or ()).values_list(*self.export_fields)
        rows = list(found[: EXPORT_LIMIT_ROWS + 1])
        cut = len(rows) > EXPORT_LIMIT_ROWS
        if cut:
            rows[EXPORT_LIMIT_ROWS:] = [(CUT_NOTE.format(limit=EXPORT_LIMIT_ROWS),)]
        count = min(len(rows), EXPORT_LIMIT_ROWS)
        reason = f"{count} rows of {self.opts.verbose_name_plural}{', cut' if cut else ''}; {_described(request)}"
        with acting_in(request):
            TokenAudit(action=TokenAudit.Action.EXPORTED, reason=reason[:REASON_LENGTH]).save()
        name = f"{self.opts.model_name}-{clock.now():%Y%m%d-%H%M%S}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(as_csv(self.export_fields, rows), content_type="text/csv; charset=utf-8", headers=headers)


def _described(request: HttpRequest) -> str:
    """The filter as text. A search term is included only if it is a public id: people paste secrets there."""
    given = sorted((name, value) for name, value in request.GET.items() if name not in ("q", "o", "p", "e"))
    parts = [redact(f"{name}={value}") for name, value in given]
    if term := request.GET.get("q", "").strip():
        parts.append(f"search {term}" if is_public_id(term) else "search")
        if days := getattr(request, "searched_days", 0):
            parts.append(f"last {days} days")
    return ", ".join(parts) or "no filter"
