"""Receipts: which events have arrived at which stream. Pure.

At hundreds of thousands a second nobody can keep a set for each stream. But streams receive the same events in the
same order when all is well: that order is kept once, a stream is a position in it, and only one that differs is
counted by itself. So every event of every stream is accounted for, not a sample.
"""

from collections import Counter


class Receipts:
    """Events are known by their numbers as they stand in marks, the first is number 0."""

    def __init__(self, *, streams: int) -> None:
        self.received = 0
        self._order: list[bytes] = []
        self._positions = [0] * streams
        self._by_themselves: dict[int, Counter[bytes]] = {}

    def take(self, stream: int, numbers: list[bytes]) -> None:
        self.received += len(numbers)
        by_itself = self._by_themselves.get(stream)
        if by_itself is not None:
            by_itself.update(numbers)
            return
        position = self._positions[stream]
        known = self._order[position : position + len(numbers)]
        if known != numbers[: len(known)]:
            self._by_themselves[stream] = Counter([*self._order[:position], *numbers])
            return
        self._order += numbers[len(known) :]
        self._positions[stream] = position + len(numbers)

    def lost(self, *, published: int) -> int:
        """Of the events that each stream should have, how many have not arrived (yet)."""
        return published * len(self._positions) - self._distinct()

    @property
    def doubled(self) -> int:
        return self.received - self._distinct()

    def _distinct(self) -> int:
        together = Counter(
            position for stream, position in enumerate(self._positions) if stream not in self._by_themselves
        )
        in_order = sum(len(set(self._order[:position])) * streams for position, streams in together.items())
        return in_order + sum(map(len, self._by_themselves.values()))
