"""Settings of front ends: one small JSON object for each principal, changed only while a window is open."""

import dataclasses
from collections.abc import Sequence

from events.log import change
from ledger.writer import runs_last
from operator_api import windows
from operator_api.chat.exchange import WindowClosed
from operator_api.models import OperatorSettings

LIMIT_BYTES = 16 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One principal's object, as JSON text."""

    principal_id: str
    content: str


def read(principal_id: str) -> str:
    """The principal's object as JSON text; an empty one if nothing is stored. Reads the database."""
    found = OperatorSettings.objects.filter(pk=principal_id).values_list("content", flat=True).first()
    return "{}" if found is None else found


@runs_last
def write_many(objects: Sequence[Kept]) -> Sequence[windows.Status | WindowClosed]:
    """For the ledger's writer: store each object. Returns for each the status of the open window, or WindowClosed."""
    return [_write(kept) for kept in objects]


def _write(kept: Kept) -> windows.Status | WindowClosed:
    with change() as changing:
        window = windows.open_in(changing)
        if window is None:
            return WindowClosed()
        values = {"content": kept.content, "updated_at": changing.now}
        OperatorSettings.objects.update_or_create(pk=kept.principal_id, defaults=values)
        return windows.status_of(window, changing.now)
