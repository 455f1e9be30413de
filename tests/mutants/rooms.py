"""What a mutation run changes, and which tests have to notice."""

import dataclasses
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Room:
    """A folder of product code, and the folders of tests that speak for it: its own first, then those of its users."""

    name: str
    tests: tuple[str, ...]

    @property
    def own_tests(self) -> str:
        return self.tests[0]

    def files(self) -> list[Path]:
        return sorted((ROOT / self.name).glob("*.py"))


ROOMS = (
    Room("ledger", ("tests/ledger", "tests/gateway/jobs")),
    Room("gateway/identity", ("tests/gateway/identity", "tests/gateway/http", "tests/gateway/test_commands.py")),
    Room("gateway/shared_store", ("tests/gateway/shared_store", "tests/gateway/identity")),
    Room("events/log", ("tests/events/log", "tests/events/test_commands.py", "tests/operator_api/test_windows.py")),
    Room("events/query", ("tests/events/query", "tests/events/search")),
    Room("events/search", ("tests/events/search", "tests/events/http")),
    Room("events/index", ("tests/events/index", "tests/events/search")),
    # Those of the log have relays that keep its watermark, and notice another database.
    Room("events/stream", ("tests/events/stream", "tests/events/http", "tests/events/log")),
)
