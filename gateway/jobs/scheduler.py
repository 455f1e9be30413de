"""Chores: what one process of the cluster does now and then, in a thread of its own.

An app registers its chores in a module named `retention`. The process that moves a chore's `due_at` first, by the
database's clock, does it. The claim is renewed while the work goes on, so a slow chore does not run twice at once; it
runs out when its process dies, so the chore is due again.
"""

import contextlib
import dataclasses
import itertools
import logging
import os
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import connections
from django.db.models import Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now
from django.utils.module_loading import autodiscover_modules

from gateway import metrics
from gateway.models import Chore
from ledger.faults import DATABASE_FAULTS

logger = logging.getLogger(__name__)

HOUR_SECONDS = 3600
# A process that has just started has better things to do.
FIRST_AFTER_SECONDS = 60
# From one look for what is due to the next, less up to half of it, so that processes do not all look at once.
LOOK_SECONDS = 5.0
# A claim is renewed between two pieces of work; no piece takes as long as this, so only a dead process loses its claim.
CLAIM_SECONDS = 120
RENEW_SECONDS = 10.0
# The thread ends with its process anyway, and what it had not committed does not count.
STOP_WAIT_SECONDS = 1.0
OUTCOME_LENGTH = 200

# Called by the work between two pieces of it; raises ChoreStopped when there must be no next one.
GoOn = Callable[[], None]
Work = Callable[[GoOn], str]


class ChoreStopped(Exception):
    """This process ends, or the chore is no longer its own."""


class ChoreRefused(Exception):
    """Nothing is broken, but a person must decide whether the work is done: the text explains what, and how."""


@dataclasses.dataclass(frozen=True)
class _Registered:
    work: Work
    every_seconds: int


_registered: dict[str, _Registered] = {}
_STOPPED = "stopped: its process ended"


def register(name: str, work: Work, *, every_seconds: int = HOUR_SECONDS) -> None:
    """Have it done about so often. The work returns its outcome as a short text."""
    _registered[name] = _Registered(work, every_seconds)


def intervals() -> dict[str, int]:
    """How often each chore of this installation is due, in seconds, by its name."""
    autodiscover_modules("retention")
    return {name: registered.every_seconds for name, registered in _registered.items()}


class Claim:
    """The right to do one chore now. No other process has it, until CLAIM_SECONDS after it was last renewed."""

    def __init__(self, name: str) -> None:
        self._name = name
        # Differs from the mark of a process that took the claim after this one had run out.
        self._mark = f"running in {socket.gethostname()[:100]}:{os.getpid()} ({secrets.token_hex(4)})"
        self._renewed = time.monotonic()

    def take(self) -> bool:
        """Whether the chore is due and now ours: one UPDATE, which only one process wins."""
        due = Chore.objects.filter(name=self._name, due_at__lte=Now())
        return bool(due.update(due_at=_in(CLAIM_SECONDS), started_at=Now(), ended_at=None, outcome=self._mark))

    def renew(self) -> None:
        """Raises ChoreStopped if it has run out and another process has taken it."""
        if time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        if not self._ours().update(due_at=_in(CLAIM_SECONDS)):
            raise ChoreStopped
        self._renewed = time.monotonic()

    def end(self, outcome: str, *, due_in_seconds: int) -> None:
        self._ours().update(due_at=_in(due_in_seconds), ended_at=Now(), outcome=outcome[:OUTCOME_LENGTH])

    def _ours(self) -> QuerySet[Chore]:
        return Chore.objects.filter(name=self._name, outcome=self._mark)


class Scheduler:
    """The thread of one process that looks for chores which are due, and does them one after the other."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chores", daemon=True)
        self._database_away = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End soon: in the middle of a chore, after the piece that is being done."""
        self._ending.set()
        self._thread.join(STOP_WAIT_SECONDS)

    def _run(self) -> None:
        every_seconds = intervals()
        for name, outcome in itertools.product(every_seconds, ("done", "failed", "stopped")):
            # From zero on, so that the first failure is an increase for those who watch; not where chores are not done.
            metrics.CHORES_ENDED.labels(name, outcome)
        while not self._ending.wait(LOOK_SECONDS * random.uniform(0.5, 1.0)):
            try:
                self._run_due(every_seconds)
                self._database_away = False
            except DATABASE_FAULTS as error:
                if not self._database_away:
                    logger.warning("chores wait for the database: %s", type(error).__name__)
                self._database_away = True
            except Exception:
                # A thread that ends is not started again.
                logger.exception("chores cannot be looked for")
            finally:
                # One that is broken may fail at being closed too.
                with contextlib.suppress(*DATABASE_FAULTS):
                    connections.close_all()

    def _run_due(self, every_seconds: dict[str, int]) -> None:
        known = dict(Chore.objects.annotate(due=Q(due_at__lte=Now())).values_list("name", "due"))
        new = [Chore(name=name, due_at=_in(FIRST_AFTER_SECONDS)) for name in every_seconds if name not in known]
        if new:
            Chore.objects.bulk_create(new, ignore_conflicts=True)
        for name in every_seconds:
            claim = Claim(name)
            if known.get(name) and not self._ending.is_set() and claim.take():
                self._do(name, claim)

    def _do(self, name: str, claim: Claim) -> None:
        chore = _registered[name]
        due_in_seconds = chore.every_seconds
        logger.info("chore started name=%s", name)

        def go_on() -> None:
            if self._ending.is_set():
                raise ChoreStopped
            claim.renew()

        try:
            outcome = chore.work(go_on)
        except ChoreStopped:
            # Another process, or the next start, goes on at once with what is left.
            outcome, due_in_seconds = _STOPPED, 0
        except ChoreRefused as refused:
            outcome = f"failed: {refused}"
            logger.warning("chore refused name=%s: %s", name, refused)
        except DATABASE_FAULTS as error:
            if self._ending.is_set():
                # As above: it was about to be stopped after this piece.
                outcome, due_in_seconds = _STOPPED, 0
            else:
                outcome = f"failed: {type(error).__name__}"
            logger.warning("chore failed name=%s: %s", name, type(error).__name__)
            # The outcome cannot be written on what is left of the connection.
            connections.close_all()
        except Exception as error:
            outcome = f"failed: {type(error).__name__}"
            logger.exception("chore failed name=%s", name)
        _count(name, outcome)
        claim.end(outcome, due_in_seconds=due_in_seconds)
        logger.info("chore ended name=%s outcome=%s", name, outcome)


def _count(name: str, outcome: str) -> None:
    kind = outcome.partition(":")[0]
    if kind in ("stopped", "failed"):
        metrics.CHORES_ENDED.labels(name, kind).inc()
        return
    metrics.CHORES_ENDED.labels(name, "done").inc()
    metrics.CHORE_DONE_AT.labels(name).set_to_current_time()


def _in(seconds: int) -> CombinedExpression:
    """A time by the database's clock: no two machines' clocks agree."""
    return Now() + timedelta(seconds=seconds)
