"""Console sessions: the cookie's key opens them, what the database holds does not."""

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.identity import console_sessions
from gateway.identity.known_sessions import known_sessions
from gateway.identity.session_store import SessionStore

pytestmark = pytest.mark.usefixtures("ledger")


def test_a30_the_row_of_a_session_cannot_be_used_as_its_cookie() -> None:
    store = SessionStore()
    store["user"] = 7
    store.save()

    row = Session.objects.get()
    assert store.session_key not in (row.session_key, row.session_data)
    assert SessionStore(row.session_key).load() == {}
    assert SessionStore(store.session_key).load() == {"user": 7}


def test_a_session_is_changed_and_deleted_by_its_key() -> None:
    store = SessionStore()
    store["user"] = 7
    store.save()
    again = SessionStore(store.session_key)
    again["user"] = 8
    again.save()
    assert Session.objects.count() == 1
    assert SessionStore(store.session_key)["user"] == 8
    assert SessionStore().exists(str(store.session_key))
    SessionStore(store.session_key).delete()
    assert not Session.objects.exists()


def test_signing_in_gives_a_session_a_new_key_and_the_old_one_opens_nothing() -> None:
    store = SessionStore()
    store["user"] = 7
    store.save()
    before = store.session_key
    store.cycle_key()
    assert store.session_key != before
    assert SessionStore(before).load() == {}
    assert SessionStore(store.session_key).load() == {"user": 7}


def test_a_key_that_names_no_session_is_not_taken_over() -> None:
    store = SessionStore("a" * 32)
    assert store.load() == {}
    store["user"] = 7
    store.save()
    assert store.session_key != "a" * 32


def test_a_session_past_its_time_opens_nothing() -> None:
    store = SessionStore()
    store["user"] = 7
    store.set_expiry(-1)
    store.save()
    assert SessionStore(store.session_key).load() == {}


@pytest.mark.parametrize("leave", ["flush", "cycle_key", "delete"])
def test_whatever_ends_a_session_ends_what_it_opened(leave: str) -> None:
    store = SessionStore()
    store["user"] = 7
    store.save()
    named = console_sessions.session_id(store.session_key)
    assert named not in console_sessions.ended()
    getattr(store, leave)()
    assert named in console_sessions.ended()


async def test_it_is_the_same_for_asynchronous_code() -> None:
    store = SessionStore()
    await store.aset("user", 7)
    await store.asave()
    key = str(store.session_key)
    row = await Session.objects.aget()
    assert row.session_key != key
    assert await SessionStore(key).aload() == {"user": 7}
    assert await SessionStore().aexists(key)
    await SessionStore(key).adelete()
    assert not await SessionStore().aexists(key)
    assert await SessionStore(key).aload() == {}


def test_a_key_that_a_query_did_not_find_a_moment_ago_costs_none_and_is_not_taken_over() -> None:
    key = "a" * 32
    known_sessions._remember(console_sessions.row_key(key), found=False)
    store = SessionStore(key)
    with CaptureQueriesContext(connection) as statements:
        assert store.load() == {}
    assert len(statements) == 0
    assert store.session_key is None
