"""Resident memory of processes over time, and whether it grows."""

import statistics

from benchmarks.usage import resident_bytes

MEGABYTE = 1024 * 1024
# A shorter life says nothing about growth: the last events alone, which a process keeps, are megabytes.
MIN_SECONDS = 600.0


class ResidentMemory:
    """Samples by process; a process that was restarted is another one."""

    def __init__(self, *, warm_up_seconds: float) -> None:
        self._warm_up_seconds = warm_up_seconds
        self._samples: dict[int, list[tuple[float, int]]] = {}

    def sample(self, pid: int, now: float) -> None:
        """Nothing, if the process has just ended."""
        try:
            self._samples.setdefault(pid, []).append((now, resident_bytes(pid)))
        except (FileNotFoundError, ProcessLookupError, IndexError):
            return

    def growth(self) -> dict[int, float]:
        """Megabytes a minute, by process, of those that lived long enough after they had warmed up."""
        grown: dict[int, float] = {}
        for pid, samples in self._samples.items():
            warm = [(at, size) for at, size in samples if at >= samples[0][0] + self._warm_up_seconds]
            if warm and warm[-1][0] - warm[0][0] >= MIN_SECONDS:
                times, sizes = zip(*warm, strict=True)
                grown[pid] = statistics.linear_regression(times, sizes).slope * 60 / MEGABYTE
        return grown
