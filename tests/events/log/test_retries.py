"""Publishers that repeat themselves: a retry is recognised and never doubled; nothing else is taken for a retry."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from events import log
from events.log.dedup import Appended, IdempotencyConflict, Known
from events.log.submissions import Submission
from events.models import Event, UsedKey
from gateway.jobs import retention
from tests.events.samples import append, append_events, new_event, submission

pytestmark = pytest.mark.usefixtures("ledger")


def test_the_same_event_id_again_is_the_same_event() -> None:
    first = append(submission(new_event("mine", fingerprint="same")))
    again = append(submission(new_event("mine", fingerprint="same")))
    assert first == [Appended(log.head().epoch, [("mine", 1)], created=True, fresh=1)]
    assert again == [Appended(log.head().epoch, [("mine", 1)], created=False, fresh=0)]
    assert Event.objects.count() == 1


def test_the_same_event_id_with_other_content_is_a_conflict_that_writes_nothing() -> None:
    append(submission(new_event("mine", fingerprint="one")))
    (outcome,) = append(submission(new_event("new", fingerprint="new"), new_event("mine", fingerprint="other")))
    assert isinstance(outcome, IdempotencyConflict)
    assert Event.objects.count() == 1
    assert append_events(1).ids == [("e0", 2)]


def test_event_ids_of_two_publishers_have_nothing_to_do_with_each_other() -> None:
    one = submission(new_event("mine", fingerprint="one"), publisher="s-one", key="key")
    other = submission(new_event("mine", fingerprint="other"), publisher="s-other", key="key")
    assert [outcome.ids for outcome in append(one, other) if isinstance(outcome, Appended)] == [
        [("mine", 1)],
        [("mine", 2)],
    ]


def test_the_same_key_again_answers_with_the_first_events_id() -> None:
    append(submission(new_event("first", fingerprint="same"), key="key"))
    (again,) = append(submission(new_event("second", fingerprint="same"), key="key"))
    assert again == Appended(log.head().epoch, [("first", 1)], created=False, fresh=0)


def test_the_same_key_with_other_content_is_a_conflict() -> None:
    append(submission(new_event("first", fingerprint="one"), key="key"))
    (again,) = append(submission(new_event("second", fingerprint="other"), key="key"))
    assert isinstance(again, IdempotencyConflict)


def test_repeats_that_are_committed_together_are_one_event() -> None:
    repeats = [submission(new_event(f"id{number}", fingerprint="same"), key="key") for number in range(20)]
    outcomes = append(*repeats)
    assert [outcome.ids for outcome in outcomes if isinstance(outcome, Appended)] == [[("id0", 1)]] * 20
    assert [outcome.created for outcome in outcomes if isinstance(outcome, Appended)] == [True] + [False] * 19
    assert Event.objects.count() == 1


def test_a_conflict_fails_its_own_submission_only() -> None:
    outcomes = append(
        submission(new_event("mine", fingerprint="one")),
        submission(new_event("mine", fingerprint="other")),
        submission(new_event("else", fingerprint="else")),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, IdempotencyConflict, Appended]
    assert log.head().last_seq == 2


def test_one_event_id_twice_in_a_batch_is_one_event_if_the_content_is_the_same() -> None:
    (same,) = append(submission(new_event("twice", fingerprint="same"), new_event("twice", fingerprint="same")))
    assert isinstance(same, Appended)
    assert same.ids == [("twice", 1), ("twice", 1)]

    (other,) = append(submission(new_event("again", fingerprint="one"), new_event("again", fingerprint="other")))
    assert isinstance(other, IdempotencyConflict)
    assert Event.objects.count() == 1


def test_a_batch_of_which_some_are_known_adds_only_the_new_ones() -> None:
    append(submission(new_event("b", fingerprint="b")))
    (outcome,) = append(submission(*(new_event(name, fingerprint=name) for name in "abc")))
    assert isinstance(outcome, Appended)
    assert outcome.ids == [("a", 2), ("b", 1), ("c", 3)]


def test_a_second_try_after_a_lost_answer_doubles_nothing_though_the_publisher_gave_no_id() -> None:
    tried = submission(new_event("made-here"), new_event("made-here-too"))
    (first,) = append(tried)
    (second,) = append(tried)
    assert isinstance(first, Appended)
    assert isinstance(second, Appended)
    assert second.ids == first.ids
    assert Event.objects.count() == 2


def test_a_key_that_comes_with_a_known_event_is_remembered() -> None:
    append(submission(new_event("mine", fingerprint="same")))
    for key in ("one", "two", "two"):
        (again,) = append(submission(new_event("mine", fingerprint="same"), key=key))
        assert again == Appended(log.head().epoch, [("mine", 1)], created=False, fresh=0)
    for key in ("one", "two"):
        (other,) = append(submission(new_event("else", fingerprint="other"), key=key))
        assert isinstance(other, IdempotencyConflict)
        (same,) = append(submission(new_event("made-here", fingerprint="same"), key=key))
        assert same == Appended(log.head().epoch, [("mine", 1)], created=False, fresh=0)
    # The key is one publisher's.
    (elsewhere,) = append(submission(new_event("else", fingerprint="other"), publisher="s-other", key="one"))
    assert isinstance(elsewhere, Appended)
    assert elsewhere.created
    assert UsedKey.objects.count() == 2


def test_a_key_that_comes_with_an_event_of_another_key_is_remembered() -> None:
    append(submission(new_event("mine", fingerprint="same"), key="first"))
    append(submission(new_event("mine", fingerprint="same"), key="second"))
    for key in ("first", "second"):
        (other,) = append(submission(new_event("else", fingerprint="other"), key=key))
        assert isinstance(other, IdempotencyConflict)


def test_a_key_that_comes_with_an_event_of_a_batch_is_remembered() -> None:
    append(submission(*(new_event(name, fingerprint=name) for name in "abc")))
    append(submission(new_event("b", fingerprint="b"), key="key"))
    (other,) = append(submission(new_event("d", fingerprint="d"), key="key"))
    assert isinstance(other, IdempotencyConflict)


def test_keys_that_come_with_a_known_event_in_one_commit_are_one() -> None:
    outcomes = append(
        submission(new_event("mine", fingerprint="same")),
        submission(new_event("mine", fingerprint="same"), key="key"),
        submission(new_event("mine", fingerprint="same"), key="key"),
        submission(new_event("else", fingerprint="other"), key="key"),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Appended, Appended, IdempotencyConflict]
    assert UsedKey.objects.count() == 1


def test_a_key_whose_event_conflicts_is_free() -> None:
    append(submission(new_event("mine", fingerprint="one")))
    (conflict,) = append(submission(new_event("mine", fingerprint="other"), key="key"))
    assert isinstance(conflict, IdempotencyConflict)
    (taken,) = append(submission(new_event("else", fingerprint="else"), key="key"))
    assert isinstance(taken, Appended)


def test_used_keys_go_after_a_day() -> None:
    append(submission(new_event("mine", fingerprint="same")))
    for number in range(150):
        append(submission(new_event("mine", fingerprint="same"), key=f"key{number}"))
    UsedKey.objects.exclude(key="key0").update(at=timezone.now() - timedelta(hours=25))
    retention.purge(timezone.now() - timedelta(days=90), actor="a test", after_batch=lambda _name, _rows: None)
    assert [used.key for used in UsedKey.objects.all()] == ["key0"]


def test_retries_are_recognised_by_as_many_statements_as_the_database_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def submissions() -> list[Submission]:
        return [submission(new_event(f"e{number}", fingerprint="same"), key=f"key{number}") for number in range(25)]

    def use_other_keys() -> list[Submission]:
        return [submission(new_event(f"e{number}", fingerprint="same"), key=f"other{number}") for number in range(25)]

    append(*submissions())
    append(*use_other_keys())
    monkeypatch.setattr(connection.features, "max_query_params", 10)
    parameters: list[int] = []

    def note(execute: Any, sql: str, values: Any, *rest: Any) -> Any:
        parameters.append(len(values or ()))
        return execute(sql, values, *rest)

    with connection.execute_wrapper(note):
        known = Known(submissions() + use_other_keys())
    assert max(parameters) <= 10
    # All by tens, or ids and keys by an array each where the database has those.
    assert len(parameters) == (5 + 5 if connection.vendor == "sqlite" else 2) + 5
    assert len(known.by_id) == 25
    assert len(known.by_key) == 50


def test_a_new_event_without_a_key_of_its_own_is_not_searched_in_the_log() -> None:
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        statements.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        Known([submission(new_event("made-here"))])
    assert statements == []
