"""The jobs that wait in a lane, and which is next."""

import dataclasses
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


@dataclasses.dataclass(slots=True, eq=False)
class Job:
    """One call, and who it is for."""

    call: Callable[["Job"], Any]
    who: str
    future: "Future[Any]" = dataclasses.field(default_factory=Future)
    # The thread in which it runs, or ran.
    thread: Any = None
    # When it began, by the monotonic clock.
    began_at: float = math.inf
    given_up: bool = False
    # How long it may take, and until when that is by the monotonic clock; then its connection is cut.
    lasts_seconds: float = math.inf
    cut_at: float = math.inf


class Turns:
    """Waiting jobs: the next one of each caller in turn."""

    def __init__(self) -> None:
        self._by_caller: OrderedDict[str, deque[Job]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, who: str) -> int:
        return len(self._by_caller.get(who, ()))

    def put(self, job: Job) -> None:
        self._by_caller.setdefault(job.who, deque()).append(job)
        self._count += 1

    def take(self) -> Job:
        who, jobs = next(iter(self._by_caller.items()))
        job = jobs.popleft()
        self._count -= 1
        if jobs:
            self._by_caller.move_to_end(who)
        else:
            del self._by_caller[who]
        return job

    def remove(self, job: Job) -> None:
        jobs = self._by_caller.get(job.who, deque())
        if job in jobs:
            jobs.remove(job)
            self._count -= 1
            if not jobs:
                del self._by_caller[job.who]
