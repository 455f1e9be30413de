"""Positions in the log, as clients send them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log.cursors import BadCursor, Cursor, Head, generation

epochs = st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=16)


@given(epoch=epochs, seq=st.integers(0, 10**18 - 1))
def test_a_cursor_comes_back_as_it_was_given_out(epoch: str, seq: int) -> None:
    assert Cursor.parse(str(Cursor(epoch, seq))) == Cursor(epoch, seq)


@pytest.mark.parametrize(
    "text",
    ["", "-", "k7f3", "k7f3-", "-1", "1042", "k7f3--1", "k7f3-1e9", "K7F3-1", "k7f3-1 ", "k7f3-1\n", " k7f3-1", "a_b-1"]
    + ["k7f3-٣", "k7f3-1-2", "x" * 17 + "-1", "k7f3-" + "9" * 19, "'; drop--1", "k7f3-\x00", "k" * 10_000],
)
def test_what_no_server_gave_out_is_refused(text: str) -> None:
    with pytest.raises(BadCursor) as raised:
        Cursor.parse(text)
    # No more of it is handed on, whatever was sent.
    assert str(raised.value) == text[:64]


@given(text=st.text(max_size=40))
def test_any_other_text_is_refused_or_is_a_cursor_that_reads_the_same(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except BadCursor:
        return
    assert cursor.epoch == text.rpartition("-")[0]
    assert cursor.seq == int(text.rpartition("-")[2])


@pytest.mark.parametrize(
    ("cursor", "reset"),
    [
        (Cursor("k7f3", 10), ""),
        (Cursor("k7f3", 4), ""),
        (Cursor("k7f3", 3), "expired"),
        (Cursor("k7f3", 11), "unknown"),
        (Cursor("zzzz", 10), "epoch"),
        (Cursor("zzzz", 99), "epoch"),
    ],
)
def test_a_head_says_why_reading_cannot_go_on_from_a_cursor(cursor: Cursor, reset: str) -> None:
    assert Head("k7f3", 10, 5).reset_for(cursor) == reset


@given(last_seq=st.integers(0, 50), data=st.data())
def test_reading_can_always_go_on_from_both_ends_that_a_head_names(last_seq: int, data: st.DataObject) -> None:
    head = Head("k7f3", last_seq, data.draw(st.integers(1, last_seq + 1)))
    assert head.reset_for(head.oldest) == ""
    assert head.reset_for(head.newest) == ""


@pytest.mark.parametrize(
    ("epoch", "number"), [("k7f3zz1", 1), ("k7f3zz12", 12), ("k7f3zz", 0), ("k7f3", 0), ("k7f3zzx", 0), ("k7f3zz²", 0)]
)
def test_an_epoch_holds_its_generation_and_one_of_an_older_version_has_none(epoch: str, number: int) -> None:
    assert generation(epoch) == number


@pytest.mark.parametrize(
    ("seen", "behind", "ahead"),
    [
        (Cursor("aaaaaa2", 9), False, False),
        (Cursor("aaaaaa2", 10), False, False),
        (Cursor("aaaaaa2", 11), True, True),
        (Cursor("bbbbbb1", 99), False, False),
        (Cursor("bbbbbb3", 1), True, True),
        # One of the two was put back, and nothing shows which.
        (Cursor("bbbbbb2", 1), True, False),
    ],
)
def test_of_two_logs_the_later_generation_counts_and_in_one_log_the_seq(
    seen: Cursor, *, behind: bool, ahead: bool
) -> None:
    head = Head("aaaaaa2", 10, 1)
    assert (head.is_behind(seen), seen.is_ahead_of(head.newest)) == (behind, ahead)


def test_of_two_logs_that_count_no_generations_none_was_put_back_and_each_may_be_the_later() -> None:
    head, other = Head("aaaaaa", 10, 1), Cursor("bbbbbb", 99)
    assert not head.is_behind(other)
    assert other.is_ahead_of(head.newest)
    assert head.newest.is_ahead_of(other)
