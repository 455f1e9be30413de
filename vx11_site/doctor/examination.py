"""Runs the probes of all areas at once, each in a thread with a time limit: one that hangs does not delay the
others.
"""

import dataclasses
import threading
import time
from collections.abc import Sequence

from django.db import connections

from vx11_site.doctor.findings import Area, Finding, Report, describe_error, fail

# Long enough for an overloaded machine, on which the doctor is often run.
LIMIT_SECONDS = 5.0


@dataclasses.dataclass
class _Probing:
    area: Area
    found: list[Finding]
    thread: threading.Thread


def examine(areas: Sequence[Area]) -> tuple[Report, bool]:
    """The report, in the order of the areas, and whether a probe still hangs."""
    running = [_begin(area) for area in areas]
    deadline = time.monotonic() + LIMIT_SECONDS
    hangs = False
    report: list[tuple[str, Finding]] = []
    for one in running:
        one.thread.join(max(0.0, deadline - time.monotonic()))
        # A copy: a thread that continues later must not change the report.
        findings = list(one.found)
        if one.thread.is_alive():
            hangs = True
            findings.append(fail(f"no answer within {LIMIT_SECONDS:.0f} s", one.area.repair))
        report += [(one.area.name, finding) for finding in findings]
    return report, hangs


def _begin(area: Area) -> _Probing:
    found: list[Finding] = []
    # A daemon thread, so that the process can end while it hangs.
    thread = threading.Thread(target=_probe, args=(area, found), name=f"doctor-{area.name}", daemon=True)
    thread.start()
    return _Probing(area, found, thread)


def _probe(area: Area, found: list[Finding]) -> None:
    try:
        for finding in area.probe():
            found.append(finding)
    except Exception as error:  # noqa: BLE001 - every error is a finding
        found.append(fail(describe_error(error), area.repair))
    finally:
        connections.close_all()
