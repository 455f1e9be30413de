"""What front ends in the field ask for beside this API: answered from what is here, else declined in their shape.

A 404 would break pages that show several of these together. The shapes are those that their views read.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Count, Max
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse

from events import log
from events.admin.open_streams import open_streams
from events.http.polling import read_number
from events.log import timestamp
from gateway.http import headers
from gateway.http.errors import ApiError
from gateway.http.rest import answer
from gateway.models import IS_RARE, TokenAudit
from ledger import clock
from ledger.reader import questions
from operator_api.http.endpoint import OperatorEndpoint
from operator_api.modules import BACKEND, OFF_BY_POLICY, UP
from operator_api.status import read_status

# Of the audit, a day is what their view calls a run.
RUNS_DEFAULT, RUNS_MAX = 20, 90
FINDINGS_LIMIT_ROWS = 200
WINDOW_MAX_SECONDS = 7 * 86_400
# Rows that their view shows with another severity than "info".
SEVERITIES = {TokenAudit.Action.REFUSED: "warn", TokenAudit.Action.SIGN_IN_FAILED: "warn"}


class TopologyView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Every module with its status."""
        found = await read_status()
        services = {name: {**state, "name": name} for name, state in found.modules.items()}
        return answer({"status": "ok", "services": services, "policy": found.window["mode"]})


class EnvironmentView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Which version serves, and the window."""
        found = await read_status()
        return answer(
            {
                "service": BACKEND,
                "version": settings.VERSION,
                "policy": found.window["mode"],
                "window": found.window_status(),
                "timestamp": timestamp(clock.now()),
            }
        )


class SpawnerStatusView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """What is known of the module: whether it is up, and whether the window lets it work. No runs."""
        found = await read_status()
        state = found.modules.get("spawner")
        status = state["status"] if state else "unknown"
        return answer(
            {
                "status": status,
                "policy": found.window["mode"],
                "allowed": "spawner" in found.window["services"],
                "message": (state and state["reason"]) or "",
                "summary": {"runs_by_status": {}},
                "health": {"last_seen": state and state["last_seen"]},
            }
        )


class FiguresView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "metrics:read"}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """The main figures of now, and how many events came in `window_seconds`."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        seconds = read_number(query, "window_seconds", 3600, minimum=1, maximum=WINDOW_MAX_SECONDS)
        found = await read_status()
        streams, kept, came = await questions.run_for(self.principal.public_id, _count, seconds)
        up = sum(state["status"] == UP for state in found.modules.values())
        figures = [
            ("streams_open", streams, "streams"),
            ("events_kept", kept, "events"),
            ("events_in_window", came, "events"),
            ("events_per_second", came / seconds, "events/s"),
            ("modules_up", up, "modules"),
        ]
        now = timestamp(clock.now())
        metrics = [
            {"metric_name": name, "value": value, "unit": unit, "module": BACKEND, "timestamp": now}
            for name, value, unit in figures
        ]
        return answer({"metrics": metrics})


class AuditRunsView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "audit:read"}

    async def get(self, request: HttpRequest) -> HttpResponse:
        """The days of the audit, the newest first. Tickets, which are many, are not among what is counted."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        limit = read_number(query, "limit", RUNS_DEFAULT, minimum=1, maximum=RUNS_MAX)
        offset = read_number(query, "offset", 0, minimum=0, maximum=RUNS_MAX)
        runs = await questions.run_for(self.principal.public_id, _runs, limit, offset)
        return answer({"runs": runs, "total": len(runs), "limit": limit, "offset": offset})


class AuditRunView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": "audit:read"}

    async def get(self, request: HttpRequest, run_id: str) -> HttpResponse:
        """One day of the audit: its newest rows."""
        try:
            day = date.fromisoformat(run_id)
        except ValueError:
            raise ApiError("not_found", title="There is no such day in the audit.") from None
        found = await questions.run_for(self.principal.public_id, _run, day)
        if found is None:
            raise ApiError("not_found", title="There is no such day in the audit.")
        response = answer(found)
        if request.path.endswith("/download"):
            response["Content-Disposition"] = f'attachment; filename="audit-{day}.json"'
        return response


class NotHereView(OperatorEndpoint):
    """What other programs of the field do. `service` is the module that would."""

    scopes: ClassVar[dict[str, str | None]] = {"GET": None, "POST": None}
    service = BACKEND

    async def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._declined()

    async def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        return self._declined()

    def _declined(self) -> HttpResponse:
        refusal = ApiError("window_closed")
        body = {
            "status": OFF_BY_POLICY,
            "service": self.service,
            "message": f"This server does not do the work of {self.service}",
            "recommended_action": "Ask the module itself; its status is at /operator/api/modules",
            "correlation_id": self.caller.correlation_id,
            "detail": refusal.reason,
            "reason": refusal.reason,
        }
        return answer(body, refusal.status)


def _count(seconds: int) -> tuple[int, int, int]:
    head = log.head()
    since = log.cursor_at(clock.now() - timedelta(seconds=seconds))
    rows, _ = log.kept(head, limit=settings.EVENT_RETENTION_ROWS)
    return open_streams().count(), rows, max(0, head.last_seq - since.seq)


def _runs(limit: int, offset: int) -> list[dict[str, Any]]:
    rare = TokenAudit.objects.filter(IS_RARE).annotate(day=TruncDate("at", tzinfo=UTC)).values("day")
    days = rare.annotate(rows=Count("pk"), last=Max("at")).order_by("-day")[offset : offset + limit]
    return [_run_of(row["day"], row["rows"], row["last"]) for row in days]


def _run_of(day: date, rows: int, last: datetime) -> dict[str, Any]:
    return {
        "run_id": day.isoformat(),
        "run_ts": timestamp(last),
        "status": "ok",
        "files_count": rows,
        "size_bytes": 0,
        "source": "audit",
    }


def _run(day: date) -> dict[str, Any] | None:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    rows = TokenAudit.objects.filter(IS_RARE, at__gte=begin, at__lt=begin + timedelta(days=1))
    newest = list(rows.order_by("-at")[:FINDINGS_LIMIT_ROWS])
    if not newest:
        return None
    findings = [
        {
            "severity": SEVERITIES.get(TokenAudit.Action(row.action), "info"),
            "title": row.action,
            "detail": " ".join(filter(None, (timestamp(row.at), row.actor, row.principal_name, row.reason))),
        }
        for row in newest
    ]
    return {**_run_of(day, rows.count(), newest[0].at), "files": [], "findings": findings, "artifacts": []}
