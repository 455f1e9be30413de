"""Whether there is anything to evaluate or to deliver: asked by every process all the time, in one short statement."""

from django.db import connection

from watches.models import Subscription, Target, Watch

_WATCHES = f"SELECT EXISTS (SELECT 1 FROM {Watch._meta.db_table} WHERE stopped_because = '')"  # noqa: S608 - our name
_RECEIVERS = (
    f"SELECT EXISTS (SELECT 1 FROM {Target._meta.db_table}) "  # noqa: S608 - names of ours
    f"OR EXISTS (SELECT 1 FROM {Subscription._meta.db_table})"
)


def has_watches() -> bool:
    """Whether one is evaluated. Raises DATABASE_FAULTS."""
    return _holds(_WATCHES)


def has_receivers() -> bool:
    """Whether a target or a webhook has been set up. Raises DATABASE_FAULTS."""
    return _holds(_RECEIVERS)


def _holds(statement: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        return bool(row and row[0])
