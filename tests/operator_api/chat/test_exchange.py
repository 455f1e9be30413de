"""Chat messages: stored with their event while a window is open, once, and read by whom they belong to."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction

from events.log.dedup import IdempotencyConflict
from events.models import Event
from operator_api.chat import assistant, exchange
from operator_api.chat.exchange import Stored, WindowClosed
from operator_api.models import ChatMessage
from tests.operator_api.samples import (
    ALICE,
    BOB,
    a_key,
    answered,
    close_window,
    let_time_pass,
    message,
    opened,
    store,
    stored,
    told,
    types_told,
)

pytestmark = pytest.mark.usefixtures("ledger")


def contents(principal_id: str = "p-alice", session_id: str = "", *, limit: int = 50) -> list[str]:
    rows, _ = exchange.history(principal_id, session_id, limit=limit, before=None)
    return [row.content for row in rows]


def test_a_message_is_stored_with_an_event_that_does_not_hold_its_text() -> None:
    opened()
    row = stored(message("the password is swordfish", session_id="s-9"))
    event_type, payload = told()[-1]
    assert event_type == "chat.message"
    assert payload == {
        "message_id": str(row.message_id),
        "session_id": "s-9",
        "role": "user",
        "principal_id": "p-alice",
        "user": "alice",
        "in_reply_to": None,
    }
    event = Event.objects.get(event_type="chat.message")
    assert (event.module, event.correlation_id) == ("operator_backend", "request-of-alice")
    assert "swordfish" not in f"{event.summary}{event.payload}"


@pytest.mark.parametrize("end", [close_window, let_time_pass])
def test_after_the_window_nothing_is_stored(end: object) -> None:
    opened()
    assert callable(end)
    end()
    assert isinstance(store(message()), WindowClosed)
    assert not ChatMessage.objects.exists()
    assert "chat.message" not in types_told()


def test_an_answer_to_a_message_that_was_in_time_is_stored_though_the_window_has_closed() -> None:
    window_id = opened()["window_id"]
    row = stored()
    close_window()
    reply = answered(row)
    assert (str(reply.window_id), reply.in_reply_to, reply.session_id) == (window_id, row.message_id, row.session_id)
    assert types_told() == ["window.opened", "chat.message", "window.closed", "chat.message"]
    assert told()[-1][1]["role"] == "assistant"


def test_the_same_key_is_the_same_message_also_when_the_window_has_closed() -> None:
    opened()
    key = a_key()
    first = stored(message(key=key))
    close_window()
    again = store(message(key=key))
    assert again == Stored(first, created=False)
    assert types_told().count("chat.message") == 1


def test_the_same_key_with_another_text_is_a_conflict() -> None:
    opened()
    key = a_key()
    stored(message("one", key=key))
    assert isinstance(store(message("other", key=key)), IdempotencyConflict)
    assert contents() == ["one"]


def test_keys_of_two_principals_have_nothing_to_do_with_each_other() -> None:
    opened()
    key = a_key()
    stored(message("mine", key=key))
    stored(message("mine", key=key, by=BOB))
    assert ChatMessage.objects.count() == 2


def test_a_message_that_is_written_twice_is_one_message() -> None:
    opened()
    asked = message()
    first, again = store(asked), store(asked)
    row = ChatMessage.objects.get()
    # Both times it is this request's own, which is still to be answered.
    assert first == again == Stored(row, created=True)
    reply = exchange.Answer("yes", exchange.ASSISTANT, row)
    assert exchange.answer_many([reply])[0].pk == exchange.answer_many([reply])[0].pk
    assert types_told().count("chat.message") == 2


def test_history_is_of_one_principal_and_one_session_in_order() -> None:
    opened()
    first = stored(message("first", session_id="a"))
    stored(message("elsewhere", session_id="b"))
    stored(message("of bob", session_id="a", by=BOB))
    answered(first, "an answer")
    assert contents("p-alice", "a") == ["first", "an answer"]
    assert contents("p-alice") == ["first", "elsewhere", "an answer"]
    assert contents("p-bob", "a") == ["of bob"]


def test_a_page_of_history_is_bounded_by_its_characters_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PAGE_LIMIT_CHARACTERS", 250)
    opened()
    for number in range(5):
        stored(message(f"{number}" * 100))
    newest, more = exchange.history("p-alice", "", limit=50, before=None)
    assert ([row.content[0] for row in newest], more) == (["3", "4"], True)
    older, more = exchange.history("p-alice", "", limit=50, before=newest[0].pk)
    assert ([row.content[0] for row in older], more) == (["1", "2"], True)
    oldest, more = exchange.history("p-alice", "", limit=50, before=older[0].pk)
    assert ([row.content[0] for row in oldest], more) == (["0"], False)


def test_history_is_paged_backwards() -> None:
    opened()
    rows = [stored(message(str(number))) for number in range(5)]
    newest, more = exchange.history("p-alice", "", limit=2, before=None)
    assert ([row.content for row in newest], more) == (["3", "4"], True)
    oldest, more = exchange.history("p-alice", "", limit=3, before=newest[0].pk)
    assert ([row.content for row in oldest], more) == (["0", "1", "2"], False)
    assert exchange.position_of(rows[1].message_id, "p-alice") == rows[1].pk
    assert exchange.position_of(rows[1].message_id, "p-bob") is None


def test_an_answer_of_the_assistant_goes_before_what_was_said_in_its_place() -> None:
    opened()
    row = stored(message(by=ALICE))
    assert exchange.answer_to(row.message_id) is None
    answered(row, "it is late", role=exchange.SYSTEM)
    answered(row, "here I am")
    found = exchange.answer_to(row.message_id)
    assert found is not None
    assert found.content == "here I am"
    assert exchange.answer_to(uuid.uuid4()) is None


def let_wait(row: ChatMessage) -> None:
    """Whoever should have answered it had all the time there is."""
    ChatMessage.objects.filter(pk=row.pk).update(answer_due_at=row.created_at - timedelta(seconds=1))


def give_up() -> int:
    with transaction.atomic():
        return exchange.give_up_many(["no answer"])[0]


def test_an_answer_is_waited_for_longer_than_the_assistant_may_take() -> None:
    opened()
    row = stored()
    assert row.answer_due_at is not None
    assert (row.answer_due_at - row.created_at).total_seconds() > assistant.ANSWER_LIMIT_SECONDS
    assert not exchange.is_any_overdue()


def test_a_message_that_nobody_answers_is_told_so_once() -> None:
    opened()
    row = stored()
    let_wait(row)
    close_window()
    assert exchange.is_any_overdue()
    assert [give_up(), give_up()] == [1, 0]
    assert contents() == ["hello", "no answer"]
    assert told()[-1][1]["in_reply_to"] == str(row.message_id)
    assert types_told().count("chat.message") == 2


def test_that_it_is_late_is_not_the_last_word() -> None:
    opened()
    row = stored()
    with transaction.atomic():
        exchange.answer_many([exchange.Answer("late", exchange.SYSTEM, row, final=False)])
    let_wait(row)
    give_up()
    assert contents() == ["hello", "late", "no answer"]


@pytest.mark.parametrize("role", [exchange.ASSISTANT, exchange.SYSTEM])
def test_after_the_last_word_nobody_gives_up_and_only_the_assistant_is_heard(role: str) -> None:
    opened()
    row = stored()
    let_wait(row)
    last = answered(row, "the last word", role=role)
    assert give_up() == 0
    assert answered(row, "it is away", role=exchange.SYSTEM) == last
    answered(row, "here I am")
    assert contents() == ["hello", "the last word", "here I am"]


def test_so_many_messages_are_given_up_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "GIVE_UP_LIMIT_ROWS", 2)
    opened()
    for _ in range(3):
        let_wait(stored())
    assert [give_up(), give_up(), give_up()] == [2, 1, 0]
