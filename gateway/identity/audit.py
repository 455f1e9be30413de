"""Audit rows: every issue, redemption and refusal, by public ids only.

Repeats of a refusal are gathered for a minute per address and reason, so that a flood of guesses becomes two
rows, the second with a count.
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
# How late a minute may end: those that end together are closed together.
LOOK_SECONDS = 1.0
# Addresses times reasons gathered at a time; beyond, the oldest is written early.
GATHERED_LIMIT = 10_000


def insert_many(rows: list[TokenAudit]) -> Sequence[None]:
    """For the ledger's writer. A row that is there already (a commit whose answer was lost) stays as it is."""
    TokenAudit.objects.bulk_create(rows, ignore_conflicts=True)
    return [None] * len(rows)


async def record(row: TokenAudit) -> None:
    """Write and wait for the commit. Raises LedgerUnavailable."""
    await writer.commit(insert_many, row)
    log(row)


def record_behind(row: TokenAudit) -> None:
    """Write without making anybody wait."""
    writer.write_behind(insert_many, row)
    log(row)


@dataclasses.dataclass(slots=True)
class _Gathered:
    """The repeats of one refusal, and when its minute is over, by the event loop's clock."""

    row: TokenAudit
    ends_at: float


class Refusals:
    """Refusals of this process: the first is written at once, its repeats as one row when its minute is over.

    Used from the event loop only.
    """

    def __init__(self) -> None:
        # Oldest first, which is also whose minute is over first.
        self._repeats: dict[tuple[str, ...], _Gathered] = {}
        # The next look for those that are over. One for all: a flood from many addresses must not hold as many.
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
        """At the end of the process: what was counted so far is written."""
        while self._repeats:
            self._close(next(iter(self._repeats)))

    def _close_due(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._repeats and self._repeats[oldest := next(iter(self._repeats))].ends_at <= loop.time():
            self._close(oldest)
        self._timer = loop.call_later(LOOK_SECONDS, self._close_due, loop) if self._repeats else None

    def _close(self, key: tuple[str, ...]) -> None:
        gathered = self._repeats.pop(key)
        if gathered.row.count:
            record_behind(gathered.row)


def log(row: TokenAudit) -> None:
    """The row as a line. Names and reasons may come from people, who must not be able to begin a line of their own."""
    fields = ("ticket_id", "principal_id", "actor", "stream_id", "reason", "address", "correlation_id")
    texts = [f"{name.removesuffix('_id')}={shown(getattr(row, name)) or '-'}" for name in fields[:-1]]
    logger.info("%s %s correlation_id=%s", row.action, " ".join(texts), row.correlation_id or "-")


refusals = Refusals()
