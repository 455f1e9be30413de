"""What must have happened, by a plain reading of all events at once. Nothing here is like the machines, so that no
mistake is made twice.

Each function gets the times of the events that pass, in order, and the time up to which the log was read; its answer is
a list of ("fired" or "resolved", time, count).
"""

from collections.abc import Sequence

Happened = tuple[str, float, int]


def count(times: Sequence[float], *, at_least: int, seconds: float, cooldown: float, until: float) -> list[Happened]:
    """First the times between which it is true, then which of these the cool-down lets pass."""
    # The event that made it true; from when on; until when.
    spells: list[tuple[int, float, float]] = []
    for index in range(at_least - 1, len(times)):
        begin, end = times[index], times[index - at_least + 1] + seconds
        if begin >= end:
            continue
        if spells and begin < spells[-1][2]:
            spells[-1] = (*spells[-1][:2], end)
        else:
            spells.append((index, begin, end))
    happened: list[Happened] = []
    cool_at = 0.0
    for index, begin, end in spells:
        fired_at = max(begin, cool_at)
        if fired_at >= end or fired_at > until:
            continue
        cool_at = fired_at + cooldown
        happened.append(("fired", fired_at, at_least))
        if end <= until:
            is_late = fired_at > begin
            later = [
                time
                for number, time in enumerate(times)
                if time < end and (time >= fired_at if is_late else number > index)
            ]
            happened.append(("resolved", end, at_least + len(later)))
    return happened


def absence(
    times: Sequence[float], *, begins_at: float, seconds: float, cooldown: float, until: float
) -> list[Happened]:
    """Each silence between two events, from the beginning on and to the end."""
    happened: list[Happened] = []
    cool_at = 0.0
    for before, after in zip([begins_at, *times], [*times, None], strict=True):
        fired_at = max(before + seconds, cool_at)
        if fired_at > (until if after is None else after):
            continue
        cool_at = fired_at + cooldown
        happened.append(("fired", fired_at, 0))
        if after is not None:
            happened.append(("resolved", after, 1))
    return happened


def every(times: Sequence[float], *, cooldown: float, until: float) -> list[Happened]:
    """One event, then all that came while it cooled down, and so on."""
    happened: list[Happened] = []
    left, cool_at = list(times), 0.0
    while left:
        if left[0] >= cool_at:
            fired_at, batch = left[0], 1
        else:
            fired_at, batch = cool_at, sum(time < cool_at for time in left)
        if fired_at > until:
            break
        happened.append(("fired", fired_at, batch))
        left, cool_at = left[batch:], fired_at + cooldown
    return happened


def new_values(seen: Sequence[tuple[float, str]], *, seconds: float) -> list[int]:
    """The numbers of those events whose value was not seen in so many seconds before."""
    return [
        number
        for number, (at, value) in enumerate(seen)
        if not any(other == value and before + seconds > at for before, other in seen[:number])
    ]
