"""Positions in the log, as clients send them back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.log.cursors import BadCursor, Cursor, Head

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
    with pytest.raises(BadCursor):
        Cursor.parse(text)


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
