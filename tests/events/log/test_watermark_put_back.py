"""What is put back, raw or by a command, once or several times: no seq is given out twice, and readers get a reset."""

import pytest
from asgiref.sync import sync_to_async

from events import log
from events.log import epochs, watermark
from events.log.epochs import begin_new_epoch
from events.models import Event, LogHead
from events.stream.relay import Relay
from tests.events.log import watermarks
from tests.events.log.watermarks import append, end, newest, noted, start_one
from tests.events.samples import append_events
from tests.events.waiting import until

pytestmark = pytest.mark.usefixtures("ledger", "impatient")

# Fixtures of this module too.
redis_server, in_file, in_redis, store = (
    watermarks.redis_server,
    watermarks.in_file,
    watermarks.in_redis,
    watermarks.store,
)
relays, impatient = watermarks.relays, watermarks.impatient


@sync_to_async
def save() -> tuple[str, int]:
    """The log as a raw copy of its database holds it."""
    head = log.head()
    return head.epoch, head.last_seq


@sync_to_async
def put_back(copy: tuple[str, int]) -> None:
    epoch, seq = copy
    LogHead.objects.update(epoch=epoch, last_seq=seq)
    Event.objects.filter(seq__gt=seq).delete()


@pytest.mark.usefixtures("store")
async def test_n08_a_raw_copy_that_is_put_back_twice_gives_no_seq_out_twice(relays: list[Relay]) -> None:
    await append(4)
    copy = await save()
    epochs = set()
    for round_number in range(3):
        relay = await start_one(relays)
        before = relay.hub.seq
        appended = await append(3, prefix=f"n{round_number}-")
        assert appended.ids[0][1] == before + 1 == 5 + 3 * round_number
        epochs.add(appended.epoch)
        await noted(await newest())
        await end(relay)
        await put_back(copy)
    assert len(epochs) == 3


@pytest.mark.usefixtures("store")
async def test_n08_a_copy_that_is_put_back_beneath_a_process_that_serves_is_noticed(relays: list[Relay]) -> None:
    await append(4)
    copy = await save()
    for _ in range(2):
        relay = await start_one(relays)
        here = relay.hub.cursor
        await append(3, prefix=f"{here}-")
        seen = await newest()
        await noted(seen)
        await put_back(copy)
        await until(lambda: relay.hub.epoch != seen.epoch)  # noqa: B023 - awaited within the turn
        assert (await newest()).epoch not in (copy[0], seen.epoch)
        assert (await newest()).seq >= seen.seq
        await end(relay)


@pytest.mark.usefixtures("store")
def test_n08_the_same_backup_restored_twice_gives_no_seq_out_twice() -> None:
    append_events(4)
    copy = (log.head().epoch, 4)
    heads = []
    for round_number in range(3):
        head = begin_new_epoch()
        # Before any server starts: the same backup may be restored once more.
        assert watermark.read() == head.newest
        heads.append(head)
        append_events(3, prefix=f"n{round_number}-")
        watermark.advance(log.head().newest)
        LogHead.objects.update(epoch=copy[0], last_seq=copy[1])
        Event.objects.filter(seq__gt=copy[1]).delete()
    assert [head.last_seq for head in heads] == [4, 7, 10]
    assert len({head.epoch for head in heads}) == 3


@pytest.mark.usefixtures("store")
def test_n08_a_process_of_an_older_epoch_does_not_take_the_mark_back() -> None:
    append_events(4)
    before = log.head().newest
    after = epochs.start_new_epoch().newest
    assert watermark.advance(after) == after
    assert watermark.advance(before._replace(seq=99)) == after
    assert watermark.read() == after
