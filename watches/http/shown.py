"""Watches, as the API shows them to one caller."""

from typing import Any

from events.log import timestamp
from gateway.identity.principals import Principal, Snapshot
from watches import rights
from watches.definitions import Definition
from watches.models import Watch

ADMINISTER = "tokens:admin"


def is_administrator(principal: Principal) -> bool:
    return ADMINISTER in principal.scopes


def is_visible(watch: Watch, viewer: Principal, snapshot: Snapshot) -> bool:
    if is_administrator(viewer) and viewer.modules is None:
        return True
    standing = snapshot.by_public_id.get(watch.owner_id)
    owner = None if standing is None else standing.principal
    return rights.may_see(viewer, owner_id=watch.owner_id, shared=watch.shared, owner=owner)


def visible(viewer: Principal, snapshot: Snapshot) -> list[Watch]:
    """All that this caller may see, oldest first. In a thread."""
    watches = Watch.objects.prefetch_related("targets")
    return [watch for watch in watches if is_visible(watch, viewer, snapshot)]


def read_id(text: str) -> int | None:
    """None for what is the id of no row."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def find(watch_id: str, viewer: Principal, snapshot: Snapshot) -> Watch | None:
    """None if there is none that this caller may see. In a thread."""
    pk = read_id(watch_id)
    watch = None if pk is None else Watch.objects.prefetch_related("targets").filter(pk=pk).first()
    return watch if watch is not None and is_visible(watch, viewer, snapshot) else None


def shown(watch: Watch, viewer: Principal) -> dict[str, Any]:
    """In a thread, or after `targets` were read."""
    return {
        "id": watch.pk,
        **Definition.of(watch).as_json(),
        "owner": watch.owner_name or watch.owner_id,
        "owner_id": watch.owner_id,
        "mine": watch.owner_id == viewer.public_id,
        "state": "stopped" if watch.stopped_because else "learning" if watch.learned_seq is not None else "active",
        "stopped_because": watch.stopped_because or None,
        "stopped_at": watch.stopped_at and timestamp(watch.stopped_at),
        "groups_full_at": watch.groups_full_at and timestamp(watch.groups_full_at),
        "created_at": timestamp(watch.created_at),
        "begins_at": timestamp(watch.begins_at),
    }
