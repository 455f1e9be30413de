"""Looks at all areas at once, each in a thread and for a limited time: what hangs is named, and holds up nothing."""

import dataclasses
import threading
import time
from collections.abc import Sequence

from django.db import connections

from vx11_site.doctor.findings import Area, Diagnosis, Finding, describe_error, fail

# Enough for a machine that is overloaded, which is when the doctor is called.
LIMIT_SECONDS = 5.0


@dataclasses.dataclass
class _Look:
    area: Area
    found: list[Finding]
    thread: threading.Thread


def examine(areas: Sequence[Area]) -> tuple[Diagnosis, bool]:
    """What was found, in the order of the areas, and whether something still hangs."""
    looks = [_begin(area) for area in areas]
    deadline = time.monotonic() + LIMIT_SECONDS
    hangs = False
    diagnosis: list[tuple[str, Finding]] = []
    for one in looks:
        one.thread.join(max(0.0, deadline - time.monotonic()))
        # A copy: a thread that comes back to life later changes nothing any more.
        findings = list(one.found)
        if one.thread.is_alive():
            hangs = True
            findings.append(fail(f"no answer within {LIMIT_SECONDS:.0f} s", one.area.repair))
        diagnosis += [(one.area.name, finding) for finding in findings]
    return diagnosis, hangs


def _begin(area: Area) -> _Look:
    found: list[Finding] = []
    # A daemon: the process can end while it hangs.
    thread = threading.Thread(target=_probe, args=(area, found), name=f"doctor-{area.name}", daemon=True)
    thread.start()
    return _Look(area, found, thread)


def _probe(area: Area, found: list[Finding]) -> None:
    try:
        for finding in area.probe():
            found.append(finding)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        found.append(fail(describe_error(error), area.repair))
    finally:
        connections.close_all()
