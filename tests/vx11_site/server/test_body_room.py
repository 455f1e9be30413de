"""Memory for bodies: what one sender holds, however it is called, leaves some for the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vx11_site.server.body_room import KNOWN_LIMIT_BYTES, SMALL_BODY_BYTES, UNKNOWN_LIMIT_BYTES, BodyRoom, Held, Sender

MEBIBYTE = 1024 * 1024
# The longest body, as far as it counts.
BODY_BYTES = 4 * MEBIBYTE - SMALL_BODY_BYTES
PIECE_BYTES = 64 * 1024


def fill(room: BodyRoom, sender: Sender) -> int:
    """All that it gets, in pieces as they come from a socket."""
    held = 0
    while room.take(sender, PIECE_BYTES):
        held += PIECE_BYTES
    return held


@pytest.mark.parametrize("greedy", [1, 2])
def test_n10_known_senders_that_take_all_they_get_leave_room_for_the_body_of_another(greedy: int) -> None:
    room = BodyRoom()
    for _ in range(2):
        for number in range(greedy):
            fill(room, Sender(f"s-greedy{number}", known=True))
    assert room.take(Sender("s-modest", known=True), BODY_BYTES)


def test_one_known_sender_alone_gets_most_of_the_room() -> None:
    assert fill(BodyRoom(), Sender("s-only", known=True)) >= KNOWN_LIMIT_BYTES * 0.65


def test_n06_strangers_get_little_however_many_addresses_they_have() -> None:
    room = BodyRoom()
    for number in range(200):
        fill(room, Sender(f"10.0.0.{number}", known=False))
    assert room.held_bytes <= UNKNOWN_LIMIT_BYTES
    assert room.take(Sender("s-modest", known=True), BODY_BYTES)


def test_n06_one_stranger_leaves_some_for_the_others() -> None:
    room = BodyRoom()
    assert fill(room, Sender("10.0.0.1", known=False)) >= BODY_BYTES - PIECE_BYTES
    assert room.take(Sender("10.0.0.2", known=False), 256 * 1024)


def test_a_stranger_who_is_alone_may_send_the_longest_body() -> None:
    # Perhaps its token is only too young to be known here.
    assert BodyRoom().take(Sender("10.0.0.1", known=False), BODY_BYTES)


def test_a_sender_that_becomes_known_while_its_body_comes_holds_it_among_the_known() -> None:
    room, known = BodyRoom(), False
    held = Held(room, lambda: Sender("s-1" if known else "10.0.0.1", known))
    assert held.grow_to(PIECE_BYTES)
    known = True
    assert held.grow_to(2 * PIECE_BYTES)
    assert room.held_bytes == 2 * PIECE_BYTES
    assert room.take(Sender("10.0.0.2", known=False), BODY_BYTES)
    held.release()
    held.release()
    assert room.held_bytes == BODY_BYTES


takes = st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(1, BODY_BYTES)), max_size=60)


@given(takes=takes)
def test_what_is_given_back_is_there_again(takes: list[tuple[str, bool, int]]) -> None:
    room, held = BodyRoom(), []
    for name, known, size in takes:
        if room.take(Sender(name, known), size):
            held.append((Sender(name, known), size))
    assert room.held_bytes == sum(size for _, size in held) <= KNOWN_LIMIT_BYTES + UNKNOWN_LIMIT_BYTES
    for sender, size in held:
        room.give_back(sender, size)
    assert room.held_bytes == 0
    assert fill(room, Sender("a", known=True)) == fill(BodyRoom(), Sender("a", known=True))
