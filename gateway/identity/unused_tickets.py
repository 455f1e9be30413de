"""Tickets that ended unused, counted by the process that issued them.

A ticket that expires leaves nothing behind in the store, but one that was used leaves a mark there, whichever process
used it. So the process that issued a ticket looks for its mark when its time is over. A ticket that was revoked before
its use has no mark either, and counts as unused.
"""

import asyncio
import collections
import itertools

from django.conf import settings

from gateway import metrics
from gateway.identity import tickets
from gateway.identity.lifetimes import longest_ticket_seconds
from gateway.shared_store.store import StoreUnavailable
from ledger.per_loop import PerLoop

# A ticket may be used in its last moment, and its mark is written after that.
LOOK_AFTER_SECONDS = 1.0
LOOK_EVERY_SECONDS = 1.0
# Tickets that are looked for in one question to the store.
BATCH = 500
# Tickets that are remembered at a time; more of them are not counted.
REMEMBERED_LIMIT = 100_000


class UnusedTickets:
    """The tickets of this process whose time is not over. Used from one event loop only."""

    def __init__(self) -> None:
        # When each is looked for, by the event loop's clock; all live equally long, so the oldest stands first.
        self._due_at: collections.OrderedDict[str, float] = collections.OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        # Kept here, because the event loop keeps no task by itself.
        self._looking: asyncio.Task[None] | None = None

    def issued(self, text: str) -> None:
        """Remember it; without single use a used ticket leaves no mark, and none is counted."""
        if not settings.SSE_TOKEN_SINGLE_USE or len(self._due_at) >= REMEMBERED_LIMIT:
            return
        loop = asyncio.get_running_loop()
        self._due_at[tickets.used_key(text)] = loop.time() + longest_ticket_seconds() + LOOK_AFTER_SECONDS
        if self._timer is None:
            self._timer = loop.call_later(LOOK_EVERY_SECONDS, self._begin_look)

    def used(self, text: str) -> None:
        """It was used in this process, so the store need not be asked."""
        self._due_at.pop(tickets.used_key(text), None)

    def _begin_look(self) -> None:
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while due := self._take_due(loop.time()):
                metrics.TICKETS_UNUSED.inc(len(due) - await tickets.count_used(due))
        except StoreUnavailable:
            # What became of these is not known, so they are not counted.
            pass
        finally:
            self._timer = loop.call_later(LOOK_EVERY_SECONDS, self._begin_look) if self._due_at else None

    def _take_due(self, now: float) -> list[str]:
        due = list(itertools.takewhile(lambda key: self._due_at[key] <= now, itertools.islice(self._due_at, BATCH)))
        for key in due:
            del self._due_at[key]
        return due


the_unused_tickets = PerLoop(UnusedTickets)
