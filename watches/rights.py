"""What the owner of a watch may see now; a watch whose owner may see nothing stops."""

from gateway.filters import Selection
from gateway.identity.principals import InvalidCredential, Principal, Snapshot

READ, WRITE = "events:read", "watch:write"


class LostRight(Exception):
    """The owner may not have this watch any more; the text says why."""


def selection_of(snapshot: Snapshot, owner_id: str, query: str) -> Selection:
    """The events that count for a watch of this owner. Raises LostRight."""
    try:
        owner = snapshot.with_public_id(owner_id)
    except InvalidCredential as refused:
        raise LostRight(f"its owner: {refused.why}") from None
    if lost := {READ, WRITE} - owner.scopes:
        raise LostRight(f"its owner has no longer the right {sorted(lost)[0]}")
    return asked_by(owner, query)


def has_watches(snapshot: Snapshot, owner_id: str) -> bool:
    """Whether this owner may have watches."""
    try:
        selection_of(snapshot, owner_id, "")
    except LostRight:
        return False
    return True


def asked_by(owner: Principal, query: str) -> Selection:
    return owner.selection & Selection(queries=frozenset({query}) if query else None)


def may_see(viewer: Principal, *, owner_id: str, shared: bool, owner: Principal | None) -> bool:
    """Own ones, and shared ones of owners that see no module which the viewer does not see."""
    if owner_id == viewer.public_id:
        return True
    if not shared:
        return False
    if viewer.modules is None:
        return True
    return owner is not None and owner.modules is not None and owner.modules <= viewer.modules
