"""Who reads now, in all processes, as the database knows it; and how to end that. For people, not for the hot path."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from events.models import Node, StreamSession
from events.stream.connection_rows import NODE_LOST_SECONDS
from gateway.models import EndedStream, TokenAudit


def live_nodes() -> QuerySet[Node]:
    """Processes that have reported lately, by the database's clock."""
    return Node.objects.filter(seen_at__gte=Now() - timedelta(seconds=NODE_LOST_SECONDS))


def is_open() -> Q:
    """A stream without an end, of a process that lives."""
    return Q(closed_at=None, node__in=live_nodes().values("pk"))


def is_over() -> Q:
    """The others. Those whose process died count as over, also before their rows are closed."""
    return Q(closed_at__isnull=False) | ~Q(node__in=live_nodes().values("pk"))


def open_streams() -> QuerySet[StreamSession]:
    return StreamSession.objects.filter(is_open())


def disconnect(streams: Iterable[StreamSession]) -> int:
    """End these streams, whichever processes hold them, within two seconds; how many. Each leaves an audit row.

    A client whose token is still valid comes back with a new ticket.
    """
    ending = list(streams)
    with transaction.atomic():
        EndedStream.end([str(stream.pk) for stream in ending])
        for stream in ending:
            TokenAudit(
                action=TokenAudit.Action.STREAM_DISCONNECTED,
                ticket_id=stream.ticket_id,
                principal_id=stream.principal_id,
                principal_name=stream.principal_name,
                stream_id=str(stream.pk),
                reason="disconnected_by_admin",
            ).save()
    return len(ending)
