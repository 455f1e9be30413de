"""What processes take of the machine while something is measured, from /proc (Linux)."""

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

# The kernel counts CPU time in ticks of 10 ms, so a window should last for seconds.
TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def cpu_seconds(*pids: int) -> float:
    """User and system time of all threads of processes since they began."""
    return sum(map(_cpu_seconds, pids))


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # Counted from the state, which is field 3 of proc(5): utime is field 14, stime 15.
    return (int(fields[11]) + int(fields[12])) * TICK_SECONDS


def resident_bytes(*pids: int) -> int:
    """Memory of processes that is in RAM now."""
    resident_pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return resident_pages * os.sysconf("SC_PAGE_SIZE")


def peak_resident_bytes(*pids: int) -> int:
    """The most memory that processes have had in RAM, each at its time."""
    return sum(map(_peak_resident_bytes, pids))


def _peak_resident_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def forget_peak_resident_bytes(*pids: int) -> None:
    """From now on the peak is counted anew."""
    for pid in pids:
        # proc(5): 5 resets the peak to what is resident now.
        Path(f"/proc/{pid}/clear_refs").write_text("5")


def machine_cpu_seconds() -> float:
    """Time that all cores together were busy since the machine began."""
    user, nice, system, _idle, _waiting, *more = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    # irq, softirq, steal; guest time, which follows, is in user time already.
    return sum(map(int, (user, nice, system, *more[:3]))) * TICK_SECONDS


class Window:
    """A stretch of time: how long it was, and the CPU that was taken in it. Filled in at its end.

    What neither server nor client took belongs to others: the database server, or work that has no business here
    and spoils the figures.
    """

    def __init__(self, *server_pids: int) -> None:
        self.server_pids = server_pids
        self.seconds = 0.0
        self.server_cpu_seconds = 0.0
        self.client_cpu_seconds = 0.0
        self.machine_cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._began = self._clocks()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self._clocks()
        self.seconds, self.server_cpu_seconds, self.client_cpu_seconds, self.machine_cpu_seconds = (
            end - begin for begin, end in zip(self._began, ended, strict=True)
        )

    @property
    def others_cpu_seconds(self) -> float:
        return max(0.0, self.machine_cpu_seconds - self.server_cpu_seconds - self.client_cpu_seconds)

    def _clocks(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), cpu_seconds(*self.server_pids), time.process_time(), machine_cpu_seconds()
