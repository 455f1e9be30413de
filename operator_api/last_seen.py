"""When each module last published: collected as events are committed, and stored every few seconds."""

from collections.abc import Sequence
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from events import log
from events.log import RESERVED_PREFIXES, SMOKE_EVENT_TYPE, Entry
from ledger.writer import writer
from operator_api.models import Module

# One process writes a module's row at most this often, and not if another process has just done it.
WRITE_SECONDS = 5
# Publishers may name any module, and only known modules are stored; unknown names must not fill the memory.
NAMES_LIMIT = 1_000


class PublishedModules:
    """The modules whose events this process has committed since the last write."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def note(self, epoch: str, entries: list[Entry]) -> None:
        """Called by the log after each commit, in the thread that committed."""
        names = self._names
        if len(names) < NAMES_LIMIT:
            names.update([entry.module for entry in entries if _is_sign_of_life(entry)])

    def write(self) -> None:
        names, self._names = self._names, set()
        if names:
            writer.write_behind(mark_seen_many, frozenset(names))


def _is_sign_of_life(entry: Entry) -> bool:
    """Events that this server publishes in the name of a module do not count, nor those of the smoke test."""
    return entry.event_type != SMOKE_EVENT_TYPE and not entry.event_type.startswith(RESERVED_PREFIXES)


def mark_seen_many(sets: Sequence[frozenset[str]]) -> Sequence[None]:
    """For the ledger's writer: these modules have just published."""
    lock_all()
    stale = Q(last_seen=None) | Q(last_seen__lt=Now() - timedelta(seconds=WRITE_SECONDS))
    Module.objects.filter(stale, name__in=frozenset().union(*sets)).update(last_seen=Now())
    return [None] * len(sets)


def lock_all() -> None:
    """Lock all modules in a fixed order, so that processes which write some of them cannot deadlock."""
    list(Module.objects.select_for_update().order_by("name").values_list("name", flat=True))


published_modules = PublishedModules()


def note_published_modules() -> None:
    """Register with the log: from now on, commits of this process are noted."""
    log.on_append(published_modules.note)
