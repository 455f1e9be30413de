"""The thread of a serving process that delivers: it claims what is due, has it sent, and notes what came of it."""

import logging
import time
from datetime import UTC, datetime

from django.conf import settings

from gateway import standard_webhooks
from gateway.identity.principals import Snapshot, read_rights
from ledger.faults import DATABASE_FAULTS
from ledger.looking import Looking, Trouble, close_connections
from vx11_client.backoff import retry_after_seconds
from watches import in_use, metrics
from watches.delivery import posting, queue, secrets, senders, webhooks
from watches.delivery.attempts import Attempts, TookTooLong
from watches.delivery.guard import guarded
from watches.delivery.queue import Parcel
from watches.delivery.webhooks import Batch

logger = logging.getLogger(__name__)

# From one look for what is due to the next; while something is being sent, its end is looked for more often.
LOOK_SECONDS = 1.0
BUSY_LOOK_SECONDS = 0.1
RETRY_SECONDS = 5.0
# What is dead, and how long the oldest waits, is counted so often.
TIDY_SECONDS = 10.0

Job = Parcel | Batch


class Delivering:
    """Started with the server and stopped with it. Every process delivers what no other one has claimed."""

    def __init__(self) -> None:
        self._attempts = Attempts[Job]()
        self._looking = Looking("deliveries", self.look, first_rest_seconds=LOOK_SECONDS)
        self._rights: Snapshot | None = None
        self._tidied_at = float("-inf")
        self._trouble = Trouble(
            logger,
            wrong="notices and webhooks are not sent: %s",
            well="notices and webhooks are sent again",
        )

    def start(self) -> None:
        """Does nothing in a gateway: what is reachable from outside does not connect to others."""
        if settings.ROLE != "gateway":
            self._looking.start()

    def stop(self) -> None:
        """Attempts under way end with the process; what they were for is sent again by another one."""
        self._looking.stop()

    def look(self) -> float:
        """Note what has ended, begin what is due; how long to rest then."""
        try:
            self._finish()
            self._begin()
            self._tidy()
        except DATABASE_FAULTS as error:
            self._trouble.note(f"{type(error).__name__}: {error}")
            close_connections()
            return RETRY_SECONDS
        except Exception as error:
            # A thread that ends is not started again.
            if self._trouble.note(f"failed: {type(error).__name__}"):
                logger.exception("deliveries cannot be made")
            return RETRY_SECONDS
        self._trouble.note("")
        return BUSY_LOOK_SECONDS if self._attempts.jobs else LOOK_SECONDS

    def _finish(self) -> None:
        for job, error, took_seconds in self._attempts.ended():
            kind = "notice" if isinstance(job, Parcel) else "webhook"
            metrics.DELIVERY_SECONDS.labels(kind).observe(took_seconds)
            if isinstance(job, Parcel):
                _note_notice(job, error)
            else:
                _note_batch(job, error)

    def _begin(self) -> None:
        # A receiver that answers byte by byte has one thread, and not all of them one after the other.
        jobs = self._attempts.held
        if not jobs and not in_use.has_receivers():
            return
        busy_targets = {job.target_id for job in jobs if isinstance(job, Parcel)}
        for parcel in queue.claim(self._attempts.room, busy=busy_targets):
            self._attempts.begin(parcel, _send)
        if self._attempts.room <= 0:
            return
        self._rights = read_rights(self._rights)
        busy = {job.subscription_id for job in jobs if isinstance(job, Batch)}
        for batch in webhooks.claim(self._rights, self._attempts.room, busy=busy):
            self._attempts.begin(batch, _send)

    def _tidy(self) -> None:
        now = time.monotonic()
        if now - self._tidied_at < TIDY_SECONDS:
            return
        self._tidied_at = now
        queue.bury()
        queue.measure()
        webhooks.measure()


def _send(job: Job) -> None:
    """In a thread of an attempt, which uses no database."""
    address = secrets.decrypt(job.address)
    if isinstance(job, Parcel):
        senders.send(address, job.content, job.notice_id)
        return
    headers = standard_webhooks.headers_for(
        secrets.decrypt(job.secret), message_id=job.message_id, at_seconds=int(time.time()), body=job.body
    )
    with guarded():
        posting.post(address, job.body, headers=headers)


def _note_notice(parcel: Parcel, error: BaseException | None) -> None:
    if error is None:
        queue.sent(parcel)
    else:
        queue.failed(parcel, _problem(error))


def _note_batch(batch: Batch, error: BaseException | None) -> None:
    if error is None:
        webhooks.taken(batch)
        return
    asked_seconds, is_gone = 0.0, False
    if isinstance(error, posting.NotTaken):
        asked_seconds = retry_after_seconds(error.retry_after, now=datetime.now(UTC))
        is_gone = error.status == posting.GONE
    webhooks.refused(batch, _problem(error), is_gone=is_gone, asked_seconds=asked_seconds)


def _problem(error: BaseException) -> str:
    """The texts of ours have no credentials in them; of other errors only the name is stored."""
    known = isinstance(error, senders.NotSent | posting.NotTaken | secrets.Unreadable | TookTooLong)
    if not known:
        logger.warning("a delivery failed in an unexpected way: %s", type(error).__name__)
    return (str(error) if known else type(error).__name__)[: senders.PROBLEM_LIMIT]
