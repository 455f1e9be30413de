"""Lists of the admin as CSV: the rows that pass the filter."""

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from gateway.admin.audited import AuditedAdmin, acting_in
from gateway.admin.searching import is_public_id
from gateway.csv_cells import as_csv
from gateway.models import REASON_LENGTH, TokenAudit
from gateway.redaction import redact
from ledger import clock

# Rows of one file, the newest ones: about 10 MB, which is made in memory. If more match, its last line says so.
EXPORT_LIMIT_ROWS = 50_000
CUT_NOTE = "Only the newest {limit} rows are here. Narrow the filter for others."


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
