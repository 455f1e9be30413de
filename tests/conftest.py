"""Fixtures of all tests: a running installation (`stack`), one of a test's own (`own_stack`), Django for unit tests."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from tests import prepared
from tests.cases import recording
from tests.client import Client, Event
from tests.processes import FORK_SERVER
from tests.servers import ROOT, prepare_sqlite
from tests.stacks import Size, Stack
from tests.stores import PrivatePostgres, PrivateRedis

if TYPE_CHECKING:
    from tests.unit_database import UnitDatabase

os.environ["TMPDIR"] = str(prepared.folder_for_temporary_files())
tempfile.tempdir = None
# Before Django reads its settings: unit tests have a data folder of their own, and nothing of the caller's environment.
FOLDER = Path(tempfile.mkdtemp(prefix="units-", dir=prepared.run_folder()))
for name in [name for name in os.environ if name.startswith("VX11_")]:
    del os.environ[name]
os.environ["VX11_DATA_DIR"] = str(FOLDER / "data")

# Folders whose tests run in the process of the test.
UNITS = {"events", "gateway", "ledger", "operator_api", "receivers", "vx11_client", "vx11_site", "watches"}
POSTGRES = pytest.StashKey[PrivatePostgres | None]()
MACHINE = pytest.StashKey[ExitStack]()

OwnStack = Callable[..., Stack]
recovery = recording.recovery


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=["embedded", "scaled", "split"],
        default="embedded",
        help="what to test: one process on SQLite, two servers on a private PostgreSQL and Redis, or two gateways "
        "there, each with a backend",
    )
    recording.add_option(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Starts what the settings of the unit tests name, then sets Django up with them."""
    machine = config.stash[MACHINE] = ExitStack()
    machine.callback(shutil.rmtree, FOLDER, ignore_errors=True)
    config.stash[POSTGRES] = None
    if config.getoption("--stack") != "embedded" and not config.getoption("collectonly") and not _only_directs(config):
        postgres = config.stash[POSTGRES] = machine.enter_context(PrivatePostgres())
        # Not the Redis of the stack: its servers would hear of events that are not in their log.
        redis = machine.enter_context(PrivateRedis())
        os.environ["VX11_DATABASE_URL"] = postgres.create_database("units", migrated=True)
        os.environ["VX11_REDIS_URL"] = redis.url
        os.environ["VX11_SECRET_KEY"] = secrets.token_urlsafe(64)
    recording.activate(config)
    if not _only_directs(config):
        # pytest-django does this only for those who name the settings before it looks for conftest files. Not in the
        # environment of a process that directs: its workers would read their settings before their database is up.
        os.environ["DJANGO_SETTINGS_MODULE"] = "vx11_site.settings"
        django.setup()
        # Django's own is slow on purpose: 0.4 s of CPU for each password. Servers of tests keep it.
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _only_directs(config: pytest.Config) -> bool:
    """Whether this process hands tests to workers (`-n 2`) and runs none itself."""
    return bool(config.getoption("numprocesses", default=None)) and not hasattr(config, "workerinput")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a run costs besides its tests; a process that only directs knows of all its workers."""
    started = ", ".join(f"{name} {count}" for name, count in prepared.starts().most_common())
    terminalreporter.write_line(f"Programs started: {started or 'none'}")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[MACHINE].close()
    FORK_SERVER.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests last: the loop of Playwright stays in this thread, and neither Django nor asyncio like that."""
    items.sort(key=lambda item: "browser" in item.path.parts)
    if config.getoption("--stack") != "embedded":
        proven = {item for item in items if _is_the_same_in_every_size(item)}
        config.hook.pytest_deselected(items=list(proven))
        items[:] = [item for item in items if item not in proven]


def _is_the_same_in_every_size(item: pytest.Item) -> bool:
    """Whether the run with `--stack=embedded` has proven it for all: no database, no stack, or marked `once`."""
    if item.get_closest_marker("once"):
        return True
    fixtures: set[str] = set(getattr(item, "fixturenames", ()))
    is_unit_test = item.path.relative_to(ROOT / "tests").parts[0] in UNITS
    return is_unit_test and not fixtures & {"transactional_db", "shared_stack", "own_stack", "stack_size"}


@pytest.fixture(scope="session")
def unit_database(django_db_blocker: DjangoDbBlocker, stack_size: Size) -> "UnitDatabase":
    # Not above: Django is set up by now.
    from django.db import connection

    from tests.unit_database import PostgresUnitDatabase, SqliteUnitDatabase

    with django_db_blocker.unblock():
        if stack_size == "embedded":
            return SqliteUnitDatabase(prepared.sqlite_file(prepare_sqlite))
        assert connection.vendor == "postgresql", "Django's settings were read before the database of this run was up"
        return PostgresUnitDatabase()


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    raise AssertionError("tests take the fixture `ledger`: Django's own databases are migrated anew by each process")


@pytest.fixture
def transactional_db(unit_database: "UnitDatabase", django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database of a new installation, which threads share. Django's own fixture takes longer than most tests."""
    with django_db_blocker.unblock():
        yield
        unit_database.restore()


@pytest.fixture(autouse=True)
def nothing_is_written_elsewhere(request: pytest.FixtureRequest) -> Iterator[None]:
    """A row that a test without a database hands to the writer is written, and fails, while another test runs."""
    yield
    if "transactional_db" not in request.fixturenames and (module := sys.modules.get("ledger.writer")):
        begun = module.writer._thread is not None
        module.writer.close()
        assert not begun, "this test writes: it needs the fixture `ledger`"


@pytest.fixture(scope="session")
def stack_size(pytestconfig: pytest.Config) -> Size:
    size: Size = pytestconfig.getoption("--stack")
    return size


@pytest.fixture(scope="session")
def shared_stack(
    stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Stack]:
    with Stack(stack_size, tmp_path_factory.mktemp("stack"), postgres=pytestconfig.stash[POSTGRES]) as stack:
        yield stack
        stack.assert_clean_logs()


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """The installation all tests share; a test finds its own events by `marker`.

    Whoever stops a server or counts all events takes `own_stack` instead.
    """
    yield shared_stack
    shared_stack.assert_clean_logs()


@pytest.fixture
def own_stack(stack_size: Size, tmp_path: Path, pytestconfig: pytest.Config) -> Iterator[OwnStack]:
    """Starts an installation for one test: `own_stack(VX11_HEARTBEAT_SECONDS="10")`."""
    with ExitStack() as started:

        def start(**environment: str) -> Stack:
            folder = tmp_path / f"stack-{secrets.token_hex(4)}"
            new = Stack(stack_size, folder, postgres=pytestconfig.stash[POSTGRES], environment=environment)
            # Runs after the servers are stopped: what they say at the end counts too.
            started.callback(new.assert_clean_logs)
            return started.enter_context(new)

        yield start


@pytest.fixture
def principal(stack: Stack) -> Client:
    """Speaks to server `a` with a principal token that has every right."""
    return stack.client(stack.principal_token)


@pytest.fixture
def service(stack: Stack) -> Client:
    """Speaks to server `b`, so that what it publishes crosses processes when there are two."""
    return stack.client(stack.service_token, server=stack.b)


@pytest.fixture
def marker() -> str:
    """A correlation id of this test alone."""
    return f"test-{secrets.token_hex(8)}"


@pytest.fixture
def new_event(marker: str) -> Callable[..., Event]:
    """Makes events that carry the marker: `new_event(severity="warn")`."""

    def make(**fields: object) -> Event:
        return {"event_type": "test.happened", "summary": "something happened", "correlation_id": marker, **fields}

    return make
