"""Watches for unit tests, events for them at times that a test chooses, and the short way to evaluate all of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.contrib.auth.models import Group, User

from events.models import Event
from gateway.identity.console_sessions import principal_id
from gateway.models import AccessToken
from gateway.scopes import OPERATOR_SCOPES
from tests.events.samples import append, new_event, submission
from watches import definitions, store
from watches.evaluation.log_reader import LogReader
from watches.models import Firing, Target, Watch
from watches.store import Creation, Deletion, Muting, Revision, WatchActor


def owner(*modules: str, scopes: frozenset[str] = OPERATOR_SCOPES) -> WatchActor:
    """A token that may have watches; of some modules only, if they are named."""
    token, _ = AccessToken.issue("principal", "olga", scopes=scopes, modules=frozenset(modules))
    return WatchActor(token.public_id, token.name)


def operator(name: str = "otto") -> WatchActor:
    user = User.objects.create_user(name)
    user.groups.add(Group.objects.get(name="operator"))
    return WatchActor(principal_id(user.pk), name)


def body(**fields: Any) -> dict[str, Any]:
    return {"name": "a watch", "query": "", "condition": {"kind": "every"}, "cooldown_sec": 10, **fields}


def create(by: WatchActor, **fields: Any) -> Watch:
    made = store.create_many([Creation(definitions.read(body(**fields)), by)])[0]
    assert isinstance(made, Watch), made
    return made


def revise(watch: Watch, by: WatchActor, **fields: Any) -> Watch | Exception:
    return store.revise_many([Revision(watch.pk, fields, by)])[0]


def mute(watch: Watch, by: WatchActor, until: datetime | None) -> Watch | Exception:
    return store.mute_many([Muting(watch.pk, until, by)])[0]


def delete(watch: Watch, by: WatchActor) -> None | Exception:
    return store.delete_many([Deletion(watch.pk, by)])[0]


def target(name: str = "a target") -> Target:
    return Target.objects.create(name=name, address="", masked="json://...")


def happen(*event_ids: str, **fields: Any) -> None:
    """Events with these ids; `payload` may be an object."""
    if isinstance(fields.get("payload"), dict):
        fields["payload"] = orjson.dumps(fields["payload"]).decode()
    append(submission(*(new_event(event_id, **fields) for event_id in event_ids)))


def happen_at(at: datetime, *event_ids: str, **fields: Any) -> None:
    """The same, as if they had been appended then."""
    happen(*event_ids, **fields)
    Event.objects.filter(event_id__in=event_ids).update(created_at=at)


def evaluate(reader: LogReader | None = None, *, steps_limit: int = 200) -> LogReader:
    """Until there is nothing more to do."""
    reader = reader or taking_over()
    for _ in range(steps_limit):
        if not reader.step().more:
            return reader
    raise AssertionError(f"there is more to do after {steps_limit} steps")


def taking_over() -> LogReader:
    """Another process, which does not wait for the lease of the one before."""
    reader = LogReader()
    reader.lease.claim(force=True)
    return reader


def written(*event_types: str) -> list[dict[str, Any]]:
    """The payloads of what watches have written to the log, in order, each with the group and values of its firing."""
    events = Event.objects.filter(event_type__startswith="watch.").order_by("seq")
    payloads = [orjson.loads(event.payload) for event in events if not event_types or event.event_type in event_types]
    about = {str(firing.pk): {"group": firing.group, "values": firing.values} for firing in Firing.objects.all()}
    return [{**about.get(payload.get("firing_id", ""), {}), **payload} for payload in payloads]


def types_written() -> list[str]:
    events = Event.objects.filter(event_type__startswith="watch.").order_by("seq")
    return list(events.values_list("event_type", flat=True))


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def begin_at(watch: Watch, at: datetime) -> None:
    """As if the watch had been made then."""
    Watch.objects.filter(pk=watch.pk).update(begins_at=at)


def in_past(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def seqs_of(cursors: Iterable[str | None]) -> Sequence[int | None]:
    return [None if cursor is None else int(cursor.rpartition("-")[2]) for cursor in cursors]
