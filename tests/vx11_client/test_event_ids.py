"""Ids for events that bring none."""

import time
import uuid

from vx11_client.event_ids import new_event_id
from vx11_client.wire_names import ID_FORM


def test_an_id_is_a_uuid_of_version_7_that_an_event_may_have() -> None:
    text = new_event_id()
    assert ID_FORM.fullmatch(text)
    made = uuid.UUID(text)
    assert (str(made), made.version, made.variant) == (text, 7, uuid.RFC_4122)


def test_an_id_begins_with_the_time_at_which_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = uuid.UUID(new_event_id()).int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_no_id_comes_twice() -> None:
    assert len({new_event_id() for _ in range(10_000)}) == 10_000
