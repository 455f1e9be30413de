"""From the spool to the gateway: in order, with the ids of the spool, and gone from it only when confirmed."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import free_port
from tests.vx11_client.publishers import Log, ids, quick_backoff
from tests.vx11_client.scripted_server import Answer, Request, ScriptedServer, problem
from tests.waiting import wait_until
from vx11_client.feeding.feed_sender import FeedSender
from vx11_client.spool.disk_queue import Spool
from vx11_client.spool.records import SyslogRecord, Transport
from vx11_client.syslog.forwarder import Forwarder
from vx11_client.syslog.mapping import SyslogMapping
from vx11_client.syslog.tally import Tally


def record(text: str) -> SyslogRecord:
    return SyslogRecord(text.encode(), len(text), 1_700_000_000_000_000, "peer", Transport.TCP)


class Forwarding:
    """A spool and the forwarder that empties it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.spool = Spool(folder)
        self.notes: list[str] = []
        self.tally = Tally(self.notes.append)
        self.published = 0
        self.forwarder = Forwarder(
            self.spool,
            SyslogMapping(),
            self.tally,
            lambda report, wait: FeedSender(url=url, token="t", report=report, wait=wait, backoff=quick_backoff()),
            on_published=self._on_published,
        )

    def _on_published(self) -> None:
        self.published += 1

    def stop(self, seconds: float = 20) -> None:
        self.forwarder.stop(seconds=seconds)
        wait_until(lambda: not self.forwarder.is_alive, "the forwarder has ended", timeout_seconds=30)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def gateway(log: Log) -> Iterator[ScriptedServer]:
    with ScriptedServer(log) as server:
        yield server


def test_all_that_is_in_the_spool_is_published_in_order_and_is_gone_from_it(
    tmp_path: Path, gateway: ScriptedServer
) -> None:
    forwarding = Forwarding(tmp_path, gateway.url)
    forwarding.spool.append([record(f"{number}") for number in range(1201)])
    forwarding.forwarder.start()
    forwarding.stop()
    sent = [event for request in gateway.requests for event in request.json["events"]]
    assert [event["summary"] for event in sent] == [f"{number}" for number in range(1201)]
    assert [len(ids(request)) for request in gateway.requests] == [500, 500, 201]
    assert all(event["event_id"].startswith("syslog-") for event in sent)
    assert (forwarding.tally.published, forwarding.tally.known) == (1201, 0)
    assert (forwarding.spool.waiting_count, forwarding.published) == (0, 3)


def test_what_comes_one_after_the_other_goes_together(tmp_path: Path, gateway: ScriptedServer, log: Log) -> None:
    forwarding = Forwarding(tmp_path, gateway.url)
    forwarding.forwarder.start()
    for number in range(20):
        forwarding.spool.append([record(f"{number}")])
    # Without a stop: it goes by itself.
    wait_until(lambda: len(log.stored) == 20, "all are there")
    assert len(gateway.requests) < 10
    forwarding.stop()


def test_an_answer_that_is_lost_doubles_nothing(tmp_path: Path, gateway: ScriptedServer, log: Log) -> None:
    log._answers = iter([Answer(hang_up=True), problem(503, "draining")])
    forwarding = Forwarding(tmp_path, gateway.url)
    forwarding.spool.append([record("once")])
    forwarding.forwarder.start()
    wait_until(lambda: forwarding.tally.published == 1, "it is published")
    forwarding.stop()
    assert len(log.stored) == 1
    assert len(gateway.requests) == 3
    assert sum("trying again until it works" in note for note in forwarding.notes) == 2
    assert forwarding.notes[-1] == "the gateway takes events again"


def test_the_same_record_in_another_form_is_known_and_a_refused_one_is_left_out_and_said(tmp_path: Path) -> None:
    def script(request: Request) -> Answer:
        summaries = [event["summary"] for event in request.json["events"]]
        if "refused" in summaries:
            at = summaries.index("refused")
            return problem(422, "validation_error", errors={f"events[{at}].summary": ["no"]})
        if "known" in summaries:
            return problem(409, "idempotency_conflict")
        events = [{"event_id": each, "seq": 1} for each in ids(request)]
        return Answer(200, json={"events": events, "cursor": "k-1", "new": 0})

    with ScriptedServer(script) as gateway:
        forwarding = Forwarding(tmp_path, gateway.url)
        forwarding.spool.append([record("first"), record("known"), record("refused"), record("last")])
        forwarding.forwarder.start()
        forwarding.stop()
    assert (forwarding.tally.published, forwarding.tally.known) == (3, 3)
    assert forwarding.tally.of("left_out") == 1
    [note] = forwarding.notes
    assert note.startswith("1 records were refused by the gateway and left out (last: events[")
    assert "refused" in note
    assert forwarding.spool.waiting_count == 0


def test_the_end_waits_no_longer_than_it_may_and_leaves_the_rest_in_the_spool(tmp_path: Path) -> None:
    forwarding = Forwarding(tmp_path, f"http://127.0.0.1:{free_port()}")
    forwarding.spool.append([record("kept")])
    forwarding.forwarder.start()
    began = time.monotonic()
    forwarding.stop(seconds=0.3)
    assert 0.3 <= time.monotonic() - began < 10
    assert forwarding.spool.waiting_count == 1
    forwarding.spool.close()


def test_an_end_with_an_empty_spool_is_at_once(tmp_path: Path, gateway: ScriptedServer) -> None:
    forwarding = Forwarding(tmp_path, gateway.url)
    forwarding.forwarder.start()
    began = time.monotonic()
    forwarding.stop(seconds=60)
    assert time.monotonic() - began < 10
    assert gateway.requests == []
