"""Which modules published of late: noted as their events are committed, written behind every few seconds."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from events import log
from events.log import RESERVED_PREFIXES, SMOKE_EVENT_TYPE, Entry
from ledger.writer import writer
from operator_api.models import Module

# So often at most is a module's row written by one process; and not if another process has just done it.
WRITE_SECONDS = 5
# Publishers may name any module; only known ones are written, so strangers must not fill the memory.
NAMES_LIMIT = 1_000


class Sightings:
    """The modules that this process has heard of since they were last written."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def note(self, epoch: str, entries: list[Entry]) -> None:
        """For the log, which calls this after each commit, in the thread that did it."""
        names = self._names
        if len(names) < NAMES_LIMIT:
            names.update([entry.module for entry in entries if _is_sign_of_life(entry)])

    def write(self) -> None:
        names, self._names = self._names, set()
        if names:
            writer.write_behind(mark_seen_many, frozenset(names))


def _is_sign_of_life(entry: Entry) -> bool:
    """Not what this server says in the name of a module, nor what somebody tries with its token."""
    return entry.event_type != SMOKE_EVENT_TYPE and not entry.event_type.startswith(RESERVED_PREFIXES)


def mark_seen_many(sets: Sequence[frozenset[str]]) -> Sequence[None]:
    """For the ledger's writer: these modules have just published."""
    lock_all()
    stale = Q(last_seen=None) | Q(last_seen__lt=Now() - timedelta(seconds=WRITE_SECONDS))
    Module.objects.filter(stale, name__in=frozenset().union(*sets)).update(last_seen=Now())
    return [None] * len(sets)


def lock_all() -> None:
    """Every module, always in the same order: no two processes that write some of them can wait for each other."""
    list(Module.objects.select_for_update().order_by("name").values_list("name", flat=True))


sightings = Sightings()


def listen() -> None:
    """Hear of what this process commits from now on."""
    log.on_append(sightings.note)
