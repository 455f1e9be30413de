"""What the figures were measured on: without it they mean nothing."""

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import catalogue
from benchmarks.server import postgres_program
from tests.servers import ROOT
from vx11_site import __version__

PACKAGES = ("django", "channels", "daphne", "orjson")
FSYNC_PROBES = 50


def description() -> dict[str, str]:
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": f"{__version__}, {_revision()}",
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "system": f"Linux {platform.release()}",
        "fsync": f"{_fsync_milliseconds():.2f} ms (median of {FSYNC_PROBES}, where the data folder is)",
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "sqlite": sqlite3.sqlite_version,
        "postgresql": _postgres_version(),
        **catalogue.versions(),
    }


def _revision() -> str:
    """Short commit id, `-dirty` when files differ from it."""
    # Others may be working in the same checkout: take no lock there.
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() or "unknown revision"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _fsync_milliseconds() -> float:
    """What one durable write costs here; a disk that answers in no time may not be one."""
    durations = []
    with tempfile.NamedTemporaryFile(prefix="vx11-bench-") as file:
        for _ in range(FSYNC_PROBES):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - began)
    return statistics.median(durations) * 1000


def _postgres_version() -> str:
    program = postgres_program()
    if program is None:
        return "not installed"
    done = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return done.stdout.strip().removeprefix("postgres (PostgreSQL) ")
