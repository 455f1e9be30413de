"""A commit is reported to the tracer when it took place, before anything of it is written to streams."""

from typing import Any

import pytest
from django.db import transaction

from events import log
from events.log import appending
from events.log.submissions import Submission
from gateway import tracing
from tests.events.samples import PUBLISHER, append, new_event
from tests.events.traces import Recorder

pytestmark = pytest.mark.usefixtures("ledger")


class Request:
    """A span of a request."""

    def note(self, **attributes: int | str) -> None:
        raise NotImplementedError


REQUEST = Request()


def traced(*names: str) -> Submission:
    return Submission(PUBLISHER, [new_event(name) for name in names], span=REQUEST)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(tracing, "tracer", recorder)
    return recorder


def test_a_commit_is_done_with_its_seqs_and_its_size_before_listeners_are_called(recorder: Recorder) -> None:
    written: list[Any] = []

    def listen(epoch: str, entries: list[log.Entry]) -> None:
        recorder.calls.append(("listener",))
        written.extend(entries)

    log.on_append(listen)
    try:
        append(traced("a", "b"), traced("c"))
    finally:
        appending._listeners.remove(listen)
    size_bytes = sum(len(entry.body) for entry in written)
    done = ("done", log.head().epoch, 1, 3, size_bytes)
    assert recorder.calls == [("commit", [REQUEST, REQUEST]), done, ("listener",)]


def test_what_is_rolled_back_is_not_done(recorder: Recorder) -> None:
    with transaction.atomic():
        log.append_many([traced("lost")])
        transaction.set_rollback(True)
    assert recorder.calls == [("commit", [REQUEST])]


def test_a_commit_that_carries_no_traced_request_is_not_reported(recorder: Recorder) -> None:
    recorder.traced = False
    append(traced("a"))
    assert [name for name, *_ in recorder.calls] == ["commit"]
