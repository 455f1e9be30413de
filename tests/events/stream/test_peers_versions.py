"""A rolling update: this release beside the previous one, and beside one whose messages it cannot read."""

import asyncio
from typing import Any

import pytest

from events.log.records import Entry
from events.stream import peers
from events.stream.peers import GROUP, Peers
from tests.events.stream.hub_samples import EPOCH
from tests.events.waiting import until

ENTRIES = [
    Entry(8, "warn", "madre", "test.happened", "c-1", b'{"seq":8}', 1_790_000_000.25),
    Entry(9, "info", "switch", "test.ended", "c-2", b'{"seq":9}', 1_790_000_000.5),
]
# What the previous release sends for them, written down and not computed.
PREVIOUS: dict[str, Any] = {
    "type": "events.appended",
    "from": "a process of the previous release",
    "epoch": EPOCH,
    "seq": 9,
    "entries": [
        [8, "warn", "madre", "test.happened", "c-1", b'{"seq":8}', 1_790_000_000.25],
        [9, "info", "switch", "test.ended", "c-2", b'{"seq":9}', 1_790_000_000.5],
    ],
}
LOST: tuple[str, None] = ("", None)


def received(message: dict[str, Any]) -> list[tuple[str, list[Entry] | None]]:
    """What this release makes of a message; None instead of entries makes a relay read the log."""
    found: list[tuple[str, list[Entry] | None]] = []
    Peers(None, lambda epoch, entries: found.append((epoch, entries))).take(message)
    return found


def received_by_the_previous_release(message: dict[str, Any]) -> tuple[str, list[Entry] | None]:
    """As its Peers.take did, word for word."""
    try:
        given = message.get("entries")
        entries = None if given is None else [Entry(*fields) for fields in given]
        return message["epoch"], entries
    except (KeyError, TypeError):
        return LOST


class NotingLayer:
    """A channel layer that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        assert group == GROUP
        self.sent.append(message)


async def sent() -> dict[str, Any]:
    """The message of this release about the entries."""
    layer = NotingLayer()
    peers = Peers(layer, lambda _epoch, _entries: None)
    peers.publish(EPOCH, ENTRIES)
    sending = asyncio.create_task(peers._send())
    await until(lambda: layer.sent)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    return layer.sent[0]


def test_messages_of_the_previous_release_are_read() -> None:
    assert received(PREVIOUS) == [(EPOCH, ENTRIES)]


async def test_the_previous_release_reads_messages_of_this_one() -> None:
    assert received_by_the_previous_release(await sent()) == (EPOCH, ENTRIES)


async def test_messages_of_this_release_say_their_version_and_are_read() -> None:
    message = await sent()
    assert message["version"] == 1
    assert received(message) == [(EPOCH, ENTRIES)]


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_entries_of_another_version_are_found_in_the_log(version: object) -> None:
    assert received({**PREVIOUS, "version": version}) == [(EPOCH, None)]


async def test_a_shape_that_the_previous_release_does_not_know_sends_it_to_the_log() -> None:
    """What the next change of shape must do: another key, because that release does not look at the version."""
    message = await sent()
    later = {**message, "version": 2, "entries_2": message["entries"]}
    del later["entries"]
    assert received_by_the_previous_release(later) == (EPOCH, None)
    assert received(later) == [(EPOCH, None)]


@pytest.mark.parametrize("change", [lambda fields: [*fields, "more"], lambda fields: fields[:-1], lambda _fields: []])
def test_entries_with_more_or_fewer_fields_are_found_in_the_log(change: Any) -> None:
    assert received({**PREVIOUS, "entries": [change(fields) for fields in PREVIOUS["entries"]]}) == [LOST]


async def test_a_field_that_an_entry_gains_does_not_change_what_goes_to_peers_unseen() -> None:
    assert len(Entry._fields) == len((await sent())["entries"][0]) == 7, (
        f"Entry has changed: decide whether peers get the new field, with another version than {peers.WIRE_VERSION}"
    )
