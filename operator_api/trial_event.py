"""The event that a person sends from the console to see how one arrives. It names its sender, as window events do."""

import orjson

from events import log
from events.log import NewEvent, Submission
from operator_api.modules import BACKEND
from operator_api.windows import WindowActor
from vx11_client.event_ids import new_event_id

# Publishers must not use this prefix, so such an event was sent by a person who may act here.
EVENT_TYPE = "system.test"


def submission_of(sender: WindowActor) -> Submission:
    """For `log.append_many`, which knows a submission that it has tried before: a retry makes no second event."""
    event = NewEvent(
        event_id=new_event_id(),
        event_type=EVENT_TYPE,
        summary=f"{sender.name} sent a test event"[: log.SUMMARY_LIMIT],
        module=BACKEND,
        severity="info",
        correlation_id=sender.correlation_id,
        payload=orjson.dumps({"by": sender.name, "principal_id": sender.principal_id}).decode(),
    )
    return Submission(sender.principal_id, [event])
