"""A minute in the life of an installation, for pictures of the console."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

Row = tuple[int, str, str, str, str, Mapping[str, object]]
# Seconds before now, module, type, severity, summary, payload.
ROWS: tuple[Row, ...] = (
    (96, "madre", "plan.started", "info", "Plan nightly-index started, 14 steps", {"plan": "nightly-index"}),
    (93, "hormiguero", "scan.started", "info", "Drift scan of 23 hosts started", {"hosts": 23}),
    (88, "switch", "route.changed", "info", "Requests for “summarise” now go to hermes-2", {"from": "hermes-1"}),
    (
        81,
        "hormiguero",
        "drift",
        "warn",
        "node-07: /etc/nginx/nginx.conf differs from the manifest",
        {"node": "node-07"},
    ),
    (80, "hormiguero", "drift", "warn", "node-07: package openssl 3.0.15 where 3.0.17 is wanted", {"node": "node-07"}),
    (74, "manifestator", "patch.proposed", "info", "Patch 8841 brings node-07 back to its manifest", {"patch": 8841}),
    (69, "spawner", "worker.started", "info", "Worker w-118 started for patch 8841", {"worker": "w-118"}),
    (62, "manifestator", "patch.failed", "error", "Patch 8841: hunk 3 of 5 rejected on node-07", {"patch": 8841}),
    (57, "madre", "plan.step", "info", "nightly-index 6/14: 48 112 documents read", {"step": 6}),
    (51, "hermes", "model.slow", "warn", "hermes-2 answers in 4.1 s, 1.2 s is usual", {"p95_ms": 4100}),
    (44, "switch", "route.changed", "info", "Requests for “summarise” are shared by hermes-1 and hermes-2", {}),
    (38, "spawner", "worker.lost", "critical", "3 of 4 workers no longer answer; 1 204 jobs wait", {"waiting": 1204}),
    (33, "spawner", "worker.started", "info", "Workers w-119, w-120 and w-121 started", {"workers": 3}),
    (29, "tentaculo_link", "token.refused", "warn", "12 requests with an unknown token from 10.20.0.9", {"count": 12}),
    (21, "spawner", "queue.falling", "info", "Queue down to 310 jobs", {"waiting": 310}),
    (15, "manifestator", "patch.proposed", "info", "Patch 8842 replaces 8841", {"patch": 8842}),
    (9, "manifestator", "patch.applied", "info", "Patch 8842 applied on node-07, 2 files changed", {"patch": 8842}),
    (
        4,
        "hormiguero",
        "scan.finished",
        "info",
        "Drift scan finished: 22 of 23 hosts as wanted, 1 repaired",
        {"hosts": 23},
    ),
    (1, "madre", "plan.finished", "info", "Plan nightly-index finished in 94.6 s", {"seconds": 94.6}),
)


def sample_events() -> Iterator[Mapping[str, object]]:
    now = datetime.now(UTC)
    for seconds, module, event_type, severity, summary, payload in ROWS:
        yield {
            "module": module,
            "event_type": event_type,
            "severity": severity,
            "summary": summary,
            "payload": payload,
            "occurred_at": (now - timedelta(seconds=seconds)).isoformat(),
        }
