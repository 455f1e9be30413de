"""`python -m tests.mutants`: mutants of each room for a limited time, then the score of each and what survived."""

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutants.rooms import ROOMS, ROOT, Room

FOLDER = ROOT / "test-results" / "mutants"
# The rooms' promise, in CONTRIBUTING.md.
SCORE_MIN_PERCENT = 90
TAIL_CHARACTERS = 3_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="for all rooms together; 20")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="which mutants, in which order")
    parser.add_argument("--workers", type=int, default=2, help="rooms at a time; 2")
    parser.add_argument("--room", action="append", choices=[room.name for room in ROOMS], help="may repeat; all")
    options = parser.parse_args()
    rooms = [room for room in ROOMS if room.name in (options.room or [room.name for room in ROOMS])]
    workers = min(options.workers, len(rooms))
    seconds = options.minutes * 60 * workers / len(rooms)
    _say(f"seed {options.seed}, {seconds:.0f} seconds for each room")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(lambda room: _run(room, seconds, options.seed), rooms))
    scores = [_report(room) for room, good in zip(rooms, runs, strict=True) if good]
    return 0 if all(runs) and all(score >= SCORE_MIN_PERCENT for score in scores) else 1


def _run(room: Room, seconds: float, seed: int) -> bool:
    """Whether the room's tests could be used: they pass without a mutant."""
    _results(room).unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.plugin", "-p", "no:xdist", "--tb=short"]
    # A test that hangs is ended by the plugin, in less time.
    command += ["--stack=embedded", "--timeout=0", f"--mutate={room.name}", f"--mutate-seconds={seconds}"]
    command += [f"--mutate-seed={seed}", f"--mutate-results={_results(room)}", *room.tests]
    with _log(room).open("w", encoding="utf-8") as log:
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if _results(room).exists():
        return True
    text = _log(room).read_text(encoding="utf-8", errors="replace")
    _say(f"{room.name}: the tests cannot be used, see {_log(room)}\n{text[-TAIL_CHARACTERS:]}")
    return False


def _report(room: Room) -> float:
    """Prints what became of the room's mutants; the share that was killed, in percent."""
    tried = [one for one in _read(room) if one["outcome"] != "invalid"]
    counts = Counter(one["outcome"] for one in tried)
    score = 100 * counts["killed"] / max(1, len(tried))
    _say(f"\n{room.name}: {score:.0f} % of {len(tried)} mutants killed ({tried[0]['of'] if tried else 0} there are)")
    for one in tried:
        if one["outcome"] == "survived":
            _say(f"\n  {one['path']}:{one['line']} {one['function']}: {one['kind']} ({one['why']})")
            _say("\n".join(f"    {line}" for line in one["diff"].splitlines()))
    return score


def _read(room: Room) -> Iterator[dict[str, Any]]:
    for line in _results(room).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _results(room: Room) -> Path:
    return FOLDER / f"{room.name.replace('/', '.')}.jsonl"


def _log(room: Room) -> Path:
    return FOLDER / f"{room.name.replace('/', '.')}.log"


if __name__ == "__main__":
    sys.exit(main())
