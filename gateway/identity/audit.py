"""Audit rows: every issue, redemption and refusal, by public ids only.

Repeats of a refusal are counted for a minute per address and reason, so that a flood of guesses becomes two rows, the
second with a count.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Sequence

from gateway.addresses import address_group
from gateway.models import TokenAudit
from ledger.writer import writer
from vx11_client.terminal_text import shown

logger = logging.getLogger("vx11.audit")

GATHER_SECONDS = 60.0
# How often expired counts are written: those that expire in the same period are written together.
CLOSE_EVERY_SECONDS = 1.0
# Counts held at a time, one for each address and reason; beyond, the oldest is written early.
GATHERED_LIMIT = 10_000


def insert_many(rows: list[TokenAudit]) -> Sequence[None]:
    """For the ledger's writer. A row that exists already (after a commit whose result was lost) stays unchanged."""
    TokenAudit.objects.bulk_create(rows, ignore_conflicts=True)
    return [None] * len(rows)


async def record(row: TokenAudit) -> None:
    """Write and wait for the commit. Raises LedgerUnavailable."""
    await writer.commit(insert_many, row)
    log(row)


def record_behind(row: TokenAudit) -> None:
    """Write later, without waiting for the commit."""
    writer.write_behind(insert_many, row)
    log(row)


@dataclasses.dataclass(slots=True)
class _Gathered:
    """The repeats of one refusal, and when they are written, by the event loop's clock."""

    row: TokenAudit
    ends_at: float


class Refusals:
    """Refusals of this process: the first is written at once, its repeats as one row a minute later.

    Used from the event loop only.
    """

    def __init__(self) -> None:
        # Oldest first, and the oldest expires first.
        self._repeats: dict[tuple[str, ...], _Gathered] = {}
        # One timer for all of them: a flood from many addresses must not create as many timers.
        self._timer: asyncio.TimerHandle | None = None

    def record(
        self, *, reason: str, address: str, principal_id: str = "", ticket_id: str = "", correlation_id: str = ""
    ) -> None:
        key = (address_group(address), reason, principal_id, ticket_id)
        repeats = self._repeats.get(key)
        if repeats is not None:
            repeats.row.count += 1
            return
        if len(self._repeats) >= GATHERED_LIMIT:
            self._close(next(iter(self._repeats)))
        fields = {
            "action": TokenAudit.Action.REFUSED,
            "reason": reason,
            "address": address,
            "principal_id": principal_id,
            "ticket_id": ticket_id,
            "correlation_id": correlation_id,
        }
        record_behind(TokenAudit(**fields))
        loop = asyncio.get_running_loop()
        self._repeats[key] = _Gathered(TokenAudit(**fields, count=0), loop.time() + GATHER_SECONDS)
        if self._timer is None:
            self._timer = loop.call_later(GATHER_SECONDS, self._close_due, loop)

    def close_all(self) -> None:
        """At the end of the process: write all counts."""
        while self._repeats:
            self._close(next(iter(self._repeats)))

    def _close_due(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._repeats and self._repeats[oldest := next(iter(self._repeats))].ends_at <= loop.time():
            self._close(oldest)
        self._timer = loop.call_later(CLOSE_EVERY_SECONDS, self._close_due, loop) if self._repeats else None

    def _close(self, key: tuple[str, ...]) -> None:
        gathered = self._repeats.pop(key)
        if gathered.row.count:
            record_behind(gathered.row)


def log(row: TokenAudit) -> None:
    """Log the row as one line. Names and reasons may come from callers, so line ends in them are escaped."""
    fields = ("ticket_id", "principal_id", "actor", "stream_id", "reason", "address", "correlation_id")
    texts = [f"{name.removesuffix('_id')}={shown(getattr(row, name)) or '-'}" for name in fields[:-1]]
    logger.info("%s %s correlation_id=%s", row.action, " ".join(texts), row.correlation_id or "-")


refusals = Refusals()
