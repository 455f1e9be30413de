"""Commit order: a reader that follows the log while many write to it misses nothing, however slow some of them are."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from events import log
from events.log.cursors import Cursor
from events.models import Node
from gateway.filters import EVERYTHING
from tests.events.samples import new_event, submission

pytestmark = pytest.mark.usefixtures("ledger")

WRITERS = 6
# Of each writer. SQLite lets those who wait for its lock sleep, one longer than the other.
TRANSACTIONS = {"postgresql": 12, "sqlite": 4}


def write(number: int, start: threading.Barrier) -> list[str]:
    """Some transactions, slow at every place where order could be lost; the ids of what was committed."""
    chance = random.Random(number)
    committed: list[str] = []
    start.wait(10)
    try:
        for turn in range(TRANSACTIONS[connection.vendor]):
            ids = [f"w{number}-{turn}-{event}" for event in range(chance.randint(1, 3))]
            time.sleep(chance.uniform(0, 0.004))
            with transaction.atomic():
                # The database must not take the transaction's first write for its place in the order.
                Node.objects.create(name=ids[0])
                time.sleep(chance.uniform(0, 0.004))
                log.append_many([submission(*(new_event(event_id) for event_id in ids))])
                time.sleep(chance.uniform(0, 0.004))
                if chance.random() < 0.2:
                    transaction.set_rollback(True)
                    continue
            committed += ids
    finally:
        connection.close()
    return committed


def follow(ended: threading.Event, epoch: str) -> list[tuple[int, bytes]]:
    """What a reader gets that asks again and again until the writers have ended."""
    cursor = Cursor(epoch, 0)
    found: list[tuple[int, bytes]] = []
    try:
        while True:
            last_round = ended.is_set()
            page = log.read_after(cursor, EVERYTHING, limit=5)
            found += [(entry.seq, entry.body) for entry in page.entries]
            cursor = page.cursor
            if last_round and page.caught_up:
                return found
    finally:
        connection.close()


def test_f09_a_reader_that_follows_six_slow_writers_gets_every_event_once_and_in_order() -> None:
    epoch = log.head().epoch
    start, ended = threading.Barrier(WRITERS), threading.Event()
    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reading = threads.submit(follow, ended, epoch)
        writing = [threads.submit(write, number, start) for number in range(WRITERS)]
        try:
            committed = [event_id for writer in writing for event_id in writer.result(50)]
        finally:
            ended.set()
        found = reading.result(10)

    assert [seq for seq, _ in found] == list(range(1, len(committed) + 1))
    bodies = b"".join(body for _, body in found)
    assert all(bodies.count(b'"%s"' % event_id.encode()) == 1 for event_id in committed)
