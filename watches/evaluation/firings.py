"""What fired and what ended, as rows, events of the log, and notices: all in one change of the log.

The head is locked while this is written, and publishers wait for it. So many firings are few statements.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from events.log import Change, Cursor, timestamp
from watches import notices, outbox
from watches.conditions.evaluator import Happening
from watches.conditions.rules import STATES, Fired, Place, Resolved
from watches.models import Firing, Watch

MODULE = "tentaculo_link"


def write(
    happenings: Iterable[Happening],
    watches: Mapping[int, Watch],
    changing: Change,
    untried: outbox.Untried,
    *,
    hold_seconds: float = 0.0,
) -> int:
    """In order; how many fired. `hold_seconds`: how long their notices wait for others."""
    writing = _Writing(changing)
    for happening in happenings:
        writing.note(watches[happening.watch_id], happening)
    Firing.objects.bulk_create(writing.new)
    contents = [(watches[watch_id], content) for watch_id, content in writing.contents.items()]
    outbox.add_many(contents, untried, now=changing.now, hold_seconds=hold_seconds)
    return len(writing.new)


class _Writing:
    """Publishes events, and gathers new firings and the notice of each watch."""

    def __init__(self, changing: Change) -> None:
        self.new: list[Firing] = []
        self.contents: dict[int, notices.Content] = {}
        self._changing = changing
        # Those of this change.
        self._open: dict[tuple[int, str], Firing] = {}

    def note(self, watch: Watch, happening: Happening) -> None:
        if isinstance(happening.outcome, Fired):
            self._fire(watch, happening.group, happening.outcome)
        else:
            self._resolve(watch, happening.group, happening.outcome)

    def _fire(self, watch: Watch, group: str, fired: Fired) -> None:
        firing = Firing(
            watch=watch,
            group=group,
            fired_at=moment(fired.at),
            count=fired.events,
            first=self._cursor(fired.first),
            last=self._cursor(fired.last),
            values=list(fired.values),
            cursor=str(self._next_cursor()),
            muted=watch.muted_until is not None and watch.muted_until > self._changing.now,
        )
        self.new.append(firing)
        self._open[watch.pk, group] = firing
        self._publish("watch.fired", watch, firing, fired)
        self._notify("fired", watch, group, firing, fired)

    def _resolve(self, watch: Watch, group: str, resolved: Resolved) -> None:
        firing = self._open.pop((watch.pk, group), None) or self._stored(watch, group)
        if firing is None:
            # It was purged meanwhile: it was older than everything that is kept.
            return
        firing.resolved_at, firing.count = moment(resolved.at), max(firing.count, resolved.events)
        firing.last = self._cursor(resolved.last) or firing.last
        if not firing._state.adding:
            firing.save(update_fields=["resolved_at", "count", "last"])
        self._publish("watch.resolved", watch, firing, resolved)
        self._notify("resolved", watch, group, firing, resolved)

    def _stored(self, watch: Watch, group: str) -> Firing | None:
        return Firing.objects.filter(watch=watch, group=group, resolved_at=None).order_by("-fired_at").first()

    def _publish(self, event_type: str, watch: Watch, firing: Firing, outcome: Fired | Resolved) -> None:
        """All who may read events of MODULE see this one, also those who may not see the owner's modules. So it says
        nothing of what the watch is about: `watches/fired` does, to those who may see it."""
        name = f"watch {watch.pk} of {watch.owner_name or watch.owner_id}"
        verb = event_type.removeprefix("watch.")
        counted = f": {outcome.events} event{'s' if outcome.events != 1 else ''}" if outcome.events else ""
        self._changing.publish(
            event_type,
            f"{name} {verb}{counted}",
            module=MODULE,
            payload={
                "watch_id": watch.pk,
                "firing_id": str(firing.pk),
                "owner": watch.owner_id,
                "shared": watch.shared,
                "condition": watch.condition["kind"],
                "at": timestamp(moment(outcome.at)),
                "count": outcome.events,
                "first": firing.first or None,
                "last": firing.last or None,
                "link": self._link("", outcome),
            },
        )

    def _notify(self, state: str, watch: Watch, group: str, firing: Firing, outcome: Fired | Resolved) -> None:
        content = notices.of_outcome(
            watch=described(watch),
            state=state,
            group=group,
            at=timestamp(moment(outcome.at)),
            count=outcome.events,
            link=self._link(watch.query, outcome),
            details={
                "firing_id": str(firing.pk),
                "first": firing.first or None,
                "last": firing.last or None,
                "fired_at": timestamp(firing.fired_at),
                "values": firing.values if state == "fired" else [],
            },
        )
        before = self.contents.get(watch.pk)
        self.contents[watch.pk] = content if before is None else notices.merged(before, content)

    def _link(self, query: str, outcome: Fired | Resolved) -> str:
        """To the console, at the moment of the last event that counted."""
        at = outcome.last.at if outcome.last else outcome.at
        return notices.link_to(settings.PUBLIC_URL, query, timestamp(moment(at)))

    def _next_cursor(self) -> Cursor:
        """Of the event that is published next."""
        before = self._changing.before
        return before._replace(seq=before.seq + len(self._changing.events) + 1)

    def _cursor(self, place: Place | None) -> str:
        return "" if place is None else str(Cursor(self._changing.before.epoch, place.seq))


def end_firings(changing: Change, watch: Watch, *, because: str) -> None:
    """What fired and did not end has no end of its own any more: the watch is changed or deleted."""
    for firing in Firing.objects.filter(watch=watch, resolved_at=None).order_by("fired_at"):
        if watch.rule.condition.kind not in STATES:
            break
        firing.resolved_at = changing.now
        firing.save(update_fields=["resolved_at"])
        payload = {"watch_id": watch.pk, "firing_id": str(firing.pk), "owner": watch.owner_id, "shared": watch.shared}
        changing.publish(
            "watch.resolved",
            f"watch {watch.pk} resolved: {because}",
            module=MODULE,
            payload={**payload, "at": timestamp(changing.now), "reason": because},
        )
        details = {"firing_id": str(firing.pk), "fired_at": timestamp(firing.fired_at), "reason": because}
        content = notices.of_outcome(
            watch=described(watch),
            state="resolved",
            group=firing.group,
            at=timestamp(changing.now),
            count=firing.count,
            link="",
            details=details,
        )
        outbox.add(watch, content, now=changing.now)


def described(watch: Watch) -> dict[str, Any]:
    """Of a watch, what a notice says."""
    return {"id": watch.pk, "name": watch.name, "query": watch.query, "condition": watch.rule.condition.describe()}


def moment(seconds: float) -> datetime:
    """Of seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)
