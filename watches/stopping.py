"""Why a watch cannot be evaluated: its owner, its query or its field. Pure."""

from typing import NamedTuple

from events import query
from gateway.filters import BadFilter
from gateway.identity.principals import Snapshot
from watches import rights
from watches.conditions.fields import is_field
from watches.models import Watch


class Reason(NamedTuple):
    """`kind` is "owner", "query" or "field". The text is for those who may see the watch: it may quote its query."""

    kind: str
    text: str

    @property
    def of_event(self) -> str:
        """What the log says, which those read too who may not see what the watch is about."""
        return {"query": "its query is not valid", "field": "it names a field that there is not"}.get(
            self.kind, self.text
        )


def reason_to_stop(watch: Watch, snapshot: Snapshot) -> Reason | None:
    """None if all is well."""
    try:
        if watch.query:
            query.check(watch.query)
        rights.selection_of(snapshot, watch.owner_id, watch.query)
    except BadFilter as mistake:
        # The language of queries has changed since it was stored.
        return Reason("query", f"its query is not valid: {mistake.errors['q'][0]['message']}")
    except rights.LostRight as lost:
        return Reason("owner", str(lost))
    fields = [name for name in (watch.group_by, watch.rule.condition.field) if name]
    wrong = [name for name in fields if not is_field(name)]
    return Reason("field", f"there is no field {wrong[0]!r}") if wrong else None
