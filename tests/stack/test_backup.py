"""manage.py backup and restore: the database of one process, copied while it serves and put back when it does not."""

import json
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.accounts import add_account
from tests.client import LOOPBACK, Client, Event
from tests.conftest import OwnStack
from tests.metrics import figures
from tests.stacks import Stack
from tests.waiting import wait_until
from vx11_site.data import sqlite_copy

NewEvent = Callable[..., Event]
INDEXED = """
import json
from events.index import the_index
from events.query import Term
index = the_index()
low, high = index.extent()
print(json.dumps([low, high, index.seqs(Term("quokka"), low=low, high=high, limit=1000, seconds=10)]))
"""


@pytest.fixture
def embedded(stack_size: str, own_stack: OwnStack) -> Stack:
    if stack_size != "embedded":
        pytest.skip("PostgreSQL has tools of its own: see test_postgresql.py")
    return own_stack()


def database_of(stack: Stack) -> Path:
    return Path(stack.a.environment["VX11_DATA_DIR"]) / "operator.sqlite3"


@contextmanager
def publishing(stack: Stack, new_event: NewEvent) -> Iterator[list[int]]:
    """Somebody publishes meanwhile; the seqs that were answered so far."""
    service, enough, seqs = stack.client(stack.service_token), threading.Event(), [0]

    def publish() -> None:
        while not enough.is_set():
            answer = service.published([new_event() for _ in range(50)])
            seqs.append(answer["events"][-1]["seq"])

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield seqs
    finally:
        enough.set()
        thread.join()


def wait_until_indexed(stack: Stack, seq: int) -> None:
    wait_until(lambda: json.loads(stack.a.python(INDEXED))[:2] == [1, seq], "all is indexed", timeout_seconds=30)


def begun(reader: Client) -> float:
    """How often the server has begun its index anew."""
    return sum(value for name, value in figures(reader).items() if name.startswith("vx11_search_index_begun_total"))


def events_in(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as database:
        return [seq for (seq,) in database.execute("SELECT seq FROM events_event ORDER BY seq")]


def test_a_backup_made_while_events_are_published_is_whole_up_to_a_moment(
    embedded: Stack, new_event: NewEvent, tmp_path: Path
) -> None:
    target = tmp_path / "backup.sqlite3"
    with publishing(embedded, new_event) as seqs:
        wait_until(lambda: len(seqs) >= 10, "events are published")
        answered_before = seqs[-1]
        said = embedded.a.manage("backup", str(target))
        assert len(seqs) > 10, "publishing went on"
    copied = events_in(target)
    assert copied == list(range(1, len(copied) + 1))
    assert answered_before <= len(copied) <= seqs[-1]
    assert sqlite_copy.log_head(target)[1] == len(copied)
    assert f"up to {len(copied)}" in said
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("backup*")) == ["backup.sqlite3"]


def test_a_file_that_is_there_is_replaced_only_when_told(embedded: Stack, tmp_path: Path) -> None:
    target = tmp_path / "backup.sqlite3"
    target.write_text("somebody's")
    done = embedded.a.run_manage("backup", str(target))
    assert done.returncode != 0
    assert target.read_text() == "somebody's"
    embedded.a.manage("backup", str(target), "--force")
    sqlite_copy.verify(target)
    assert embedded.a.run_manage("backup", str(database_of(embedded)), "--force").returncode != 0


def test_a_copy_that_is_interrupted_leaves_nothing(embedded: Stack, tmp_path: Path) -> None:
    def interrupt(_pages: int, _all: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sqlite_copy.copy(database_of(embedded), tmp_path / "copy", interrupt)
    assert list(tmp_path.glob("copy*")) == []


def test_f23_a_restored_log_has_a_new_epoch_and_gives_no_seq_out_twice(
    embedded: Stack, new_event: NewEvent, tmp_path: Path
) -> None:
    reader, service = embedded.client(embedded.principal_token), embedded.client(embedded.service_token)
    backup = tmp_path / "backup.sqlite3"
    kept = service.published(new_event(summary="kept"))
    embedded.a.manage("backup", str(backup))
    lost = service.published(new_event(summary="lost"))
    with reader.stream(last_event_id=lost["cursor"]) as stream:
        # The server notes how far the log goes once a second, and at its end.
        stream.connected()

    refused = embedded.a.run_manage("restore", str(backup))
    assert refused.returncode != 0
    assert "Stop it first" in refused.stderr
    assert service.publish(new_event(summary="lost too")).status_code == 201

    embedded.a.stop()
    said = embedded.a.manage("restore", str(backup))
    assert "Restored" in said
    embedded.a.start()

    with reader.stream(last_event_id=lost["cursor"]) as stream:
        assert stream.named("stream-reset").data["reason"] == "epoch"
        after = service.published(new_event(summary="after"))
        assert stream.event()["seq"] == after["seq"]
    assert after["seq"] > lost["seq"] + 1
    assert after["cursor"].partition("-")[0] != kept["cursor"].partition("-")[0]
    assert reader.poll(since=lost["cursor"]).status_code == 410
    assert [event["summary"] for event in reader.polled(limit=10)["events"]] == ["kept", "after"]
    asides = list(database_of(embedded).parent.glob("operator.sqlite3.before-*"))
    assert len(asides) == 1
    assert sqlite_copy.log_head(asides[0])[1] == lost["seq"] + 1
    assert not list(database_of(embedded).parent.glob("*.restored*"))


def test_a_backup_with_the_index_is_restored_with_it_and_searches_need_no_new_one(
    embedded: Stack, new_event: NewEvent, tmp_path: Path
) -> None:
    reader, service = embedded.client(embedded.principal_token), embedded.client(embedded.service_token)
    service.published([new_event(summary=f"quokka {number}") for number in range(100)])
    wait_until_indexed(embedded, 100)
    backup = tmp_path / "backup.sqlite3"
    said = embedded.a.manage("backup", "--with-index", str(backup))
    assert f"{tmp_path}/backup-search.sqlite3 holds its search index" in said
    assert stat.S_IMODE((tmp_path / "backup-search.sqlite3").stat().st_mode) == 0o600
    service.published([new_event(summary="a quokka that is lost") for _ in range(10)])
    wait_until_indexed(embedded, 110)

    embedded.a.stop()
    assert "Its search index is that of the backup." in embedded.a.manage("restore", str(backup))
    # Nothing indexes now: this is what was brought along.
    low, high, seqs = json.loads(embedded.a.python(INDEXED))
    assert (low, high, len(seqs)) == (1, 100, 100)
    embedded.a.start()
    wait_until_indexed(embedded, service.published(new_event(summary="one more quokka"))["seq"])
    page = reader.polled(q="quokka", limit=500)
    assert (len(page["events"]), page["complete"]) == (101, True)
    assert begun(reader) == 0


@pytest.mark.parametrize("harm", ["none", "other", "newer", "broken"])
def test_an_index_that_does_not_belong_to_the_backup_is_not_taken(
    embedded: Stack, new_event: NewEvent, tmp_path: Path, harm: str
) -> None:
    reader, service = embedded.client(embedded.principal_token), embedded.client(embedded.service_token)
    service.published([new_event(summary="quokka") for _ in range(5)])
    wait_until_indexed(embedded, 5)
    backup, index = tmp_path / "backup.sqlite3", tmp_path / "backup-search.sqlite3"
    embedded.a.manage("backup", "--with-index", str(backup))
    if harm == "none":
        index.unlink()
    elif harm == "broken":
        index.write_bytes(b"no database " * 1000)
    else:
        with closing(sqlite3.connect(index)) as database:
            database.execute("UPDATE state SET epoch = 'x'" if harm == "other" else "UPDATE state SET high = high + 1")
            database.commit()
    embedded.a.stop()
    assert "Its search index is built anew." in embedded.a.manage("restore", str(backup))
    embedded.a.start()
    wait_until(lambda: begun(reader) >= 1, "it begins anew")
    assert len(reader.polled(q="quokka", limit=500)["events"]) == 5


def test_without_an_index_a_backup_says_so(embedded: Stack, tmp_path: Path) -> None:
    embedded.a.stop()
    for file in database_of(embedded).parent.glob("operator-search.sqlite3*"):
        file.unlink()
    said = embedded.a.manage("backup", "--with-index", str(tmp_path / "backup.sqlite3"))
    assert "There is no search index that can be read" in said
    assert [path.name for path in tmp_path.glob("backup*")] == ["backup.sqlite3"]


def test_n11_a_restore_names_tokens_that_live_again_and_ends_sessions_unless_told_otherwise(
    embedded: Stack, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.sqlite3"
    session = {"vx11_session": add_account(embedded, group="viewer").new_session()}
    revoked, public_id = embedded.issue_token("principal")
    _, deleted = embedded.issue_token("service")
    embedded.a.manage("backup", str(backup))
    embedded.revoke_token(public_id)
    embedded.a.python(f"from gateway.models import *\nAccessToken.objects.filter(public_id={deleted!r}).delete()")
    embedded.a.stop()

    # What was there before is the copy itself by then: nothing was revoked in between.
    kept = [embedded.a.manage("restore", str(backup), *more) for more in ([], ["--keep-sessions"])]
    assert f"manage.py revoke_token {' '.join(sorted([public_id, deleted]))}" in kept[0]
    assert "valid again" in kept[0]
    assert "1 sessions are ended" in kept[0]
    assert "No token was revoked or deleted in between" in kept[1]
    assert "is signed in again" in kept[1]
    embedded.a.start()
    assert embedded.client(revoked).poll().status_code == 200
    assert status_with(embedded, session) == 200

    embedded.a.stop()
    embedded.a.manage("restore", str(backup))
    embedded.a.start()
    assert status_with(embedded, session) == 302


def status_with(stack: Stack, cookies: dict[str, str]) -> int:
    return httpx2.get(f"{stack.a.url}/operator/", cookies=cookies, **LOOPBACK).status_code


def test_what_is_no_backup_is_not_restored(embedded: Stack, tmp_path: Path) -> None:
    good = tmp_path / "good.sqlite3"
    embedded.a.manage("backup", str(good))
    embedded.a.stop()
    before = database_of(embedded).read_bytes()

    damaged, foreign, newer = tmp_path / "damaged", tmp_path / "foreign", tmp_path / "newer"
    content = good.read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    with closing(sqlite3.connect(foreign)) as database:
        database.execute("CREATE TABLE somebodys (x)")
    newer.write_bytes(content)
    with closing(sqlite3.connect(newer, isolation_level=None)) as database:
        database.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('events', '9999_later', '2030-01-01')"
        )

    for path, words in ((damaged, "damaged"), (foreign, "no database of this program"), (newer, "9999_later")):
        done = embedded.a.run_manage("restore", str(path))
        assert done.returncode != 0
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert database_of(embedded).read_bytes() == before


def test_a_damaged_database_is_replaced_too(embedded: Stack, tmp_path: Path) -> None:
    backup = tmp_path / "backup.sqlite3"
    embedded.a.manage("backup", str(backup))
    embedded.a.stop()
    database_of(embedded).write_bytes(b"not a database at all" * 1000)
    embedded.a.manage("restore", str(backup))
    embedded.a.start()
    assert embedded.client(embedded.principal_token).get("/ready").status_code == 200
