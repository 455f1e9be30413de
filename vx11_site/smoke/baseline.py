"""The scorecard: a running server's figures beside their targets, and beside those of an earlier day, the baseline.

Measured from outside, as clients see it: what is slow on the way is slow here too.
"""

import dataclasses
import datetime
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2

from events.log import SMOKE_EVENT_TYPE
from vx11_client.http_answers import ServerRefused
from vx11_site.doctor.findings import Finding, ok, warn
from vx11_site.smoke.server import API, EVENTS, MINT, Server, expected

AREA = "scorecard"
FILE_FORMAT = 1
# Enough for a 95th percentile, and within every limit of an installation with its defaults.
TRIES = 20
PRESENCE_SECONDS = 10.0
SLOW = "docs/runbooks/slow.md"
_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)

Figures = dict[str, float]


class UnfitBaseline(Exception):
    """The file holds no figures of this version."""


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One row of the scorecard. `target` is the worst that is fine, None where there is none.

    It is worse than the baseline if it differs by more than `tolerance`, and by more than the share `tolerance_share`.
    """

    name: str
    unit: str
    target: float | None
    tolerance: float
    page: str
    more_is_better: bool = False
    tolerance_share: float = 0.5


FIGURES = (
    Figure("ticket_p95", "ms", 50, 20, SLOW),
    Figure("first_byte_p95", "ms", 500, 50, f"{SLOW}#streams-open-slowly"),
    Figure("poll_p95", "ms", 500, 50, SLOW),
    Figure("status_p95", "ms", 500, 50, SLOW),
    Figure("failed_requests", "%", 0.1, 0.1, "docs/runbooks/service-recovery.md"),
    Figure(
        *("adoption", "%", 80, 10, "docs/runbooks/stream-401-403.md#main-tokens-where-tickets-were-expected"),
        more_is_better=True,
        tolerance_share=0,
    ),
    Figure("tickets_expired_unused", "%", None, 10, "docs/runbooks/token-cache-growing.md", tolerance_share=0),
    Figure("memory", "MiB", 1536, 100, f"{SLOW}#the-process"),
    Figure("lag", "events", 0, 0, "docs/runbooks/lag.md"),
)


def measure(server: Server) -> Figures:
    """The figures of the server. Raises ServerRefused, httpx2.HTTPError, ValueError, KeyError.

    Those of /metrics are left out where the token may not read them, or a proxy does not pass them on.
    """
    token = server.tokens.principal
    figures = {
        "ticket_p95": _p95(_seconds(lambda: expected(server.post(MINT, token=token), 200))),
        "first_byte_p95": _p95(_seconds(lambda: _open(server))),
        "poll_p95": _p95(_seconds(lambda: expected(server.get(EVENTS, token=token, limit=10), 200))),
        "status_p95": _p95(_seconds(lambda: expected(server.get(f"{API}/status", token=token), 200))),
    }
    answer = server.get("/metrics", token=token)
    return figures | (of_metrics(answer.text) if answer.status_code == 200 else {})


def of_metrics(text: str) -> Figures:
    """What one process counts since it began. A figure of nothing (no request, no stream) is left out."""
    samples = [(name, labels, float(value)) for name, labels, value in _SAMPLE.findall(text)]

    def total(name: str, **labels: str) -> float:
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(value for found, have, value in samples if found == name and all(one in have for one in wanted))

    answered = total("vx11_requests_total") - total("vx11_requests_total", route="watch")
    failed = sum(
        value
        for name, labels, value in samples
        if name == "vx11_requests_total" and 'route="watch"' not in labels and re.search(r'status="5\d\d"', labels)
    )
    by_ticket = total("vx11_operator_sse_connections_ephemeral_total")
    openings = sum(
        total(f"vx11_operator_sse_connections_{kind}_total") for kind in ("ephemeral", "principal", "in_url")
    )
    issued, unused = total("vx11_sse_token_issued_total"), total("vx11_sse_token_expired_unused_total")
    found = {
        "failed_requests": _share(failed, answered),
        "adoption": _share(by_ticket, openings),
        "tickets_expired_unused": _share(unused, issued),
        "memory": total("process_resident_memory_bytes") / 2**20 or None,
        "lag": total("vx11_relay_lag_events"),
    }
    return {name: value for name, value in found.items() if value is not None}


def scorecard(figures: Mapping[str, float], before: Mapping[str, float]) -> Iterator[Finding]:
    """A line for each figure: its value, its target, and what it was."""
    for figure in FIGURES:
        value = figures.get(figure.name)
        if value is None:
            yield ok(f"{figure.name}: not known here")
            continue
        text = f"{figure.name}: {value:.4g} {figure.unit}"
        if figure.target is not None:
            text += f", target {'at least' if figure.more_is_better else 'at most'} {figure.target:g}"
        was = before.get(figure.name)
        if was is not None:
            text += f", was {was:.4g}"
        if _misses(figure, value):
            yield warn(f"{text}: misses its target", figure.page)
        elif was is not None and _is_worse(figure, value, was):
            yield warn(f"{text}: worse than the baseline", figure.page)
        else:
            yield ok(text)


def read(path: Path) -> Figures | None:
    """The figures of an earlier day; None without a file. Raises OSError, UnfitBaseline."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["version"] != FILE_FORMAT:
            raise UnfitBaseline(str(path))
        return {str(name): float(value) for name, value in found["figures"].items()}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnfitBaseline(str(path)) from None


def write(path: Path, figures: Mapping[str, float], *, url: str, now: datetime.datetime) -> None:
    """Raises OSError."""
    taken = {"version": FILE_FORMAT, "taken_at": f"{now:%Y-%m-%dT%H:%M:%SZ}", "url": url}
    content = json.dumps({**taken, "figures": {name: round(value, 3) for name, value in figures.items()}}, indent=2)
    partial = path.with_name(f"{path.name}.new")
    partial.write_text(f"{content}\n", encoding="utf-8")
    partial.replace(path)


def _open(server: Server) -> None:
    """A ticket, and a stream up to its first message: what a person waits for."""
    with server.open_stream(ticket=server.ticket(), event_type=SMOKE_EVENT_TYPE) as opened:
        next(opened.messages(seconds=PRESENCE_SECONDS))


def _seconds(call: Any) -> Iterator[float]:
    for _ in range(TRIES):
        started = time.monotonic()
        call()
        yield time.monotonic() - started


def _p95(seconds: Iterator[float]) -> float:
    """In milliseconds."""
    ordered = sorted(seconds)
    return ordered[math.ceil(0.95 * len(ordered)) - 1] * 1000


def _share(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _misses(figure: Figure, value: float) -> bool:
    if figure.target is None:
        return False
    return value < figure.target if figure.more_is_better else value > figure.target


def _is_worse(figure: Figure, value: float, was: float) -> bool:
    worse_by = was - value if figure.more_is_better else value - was
    return worse_by > figure.tolerance and worse_by > figure.tolerance_share * was


FAULTS = (ServerRefused, httpx2.HTTPError, TimeoutError, ValueError, KeyError, TypeError, StopIteration)
