"""Ground of the unit tests that use the database: each of them starts with an idle process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fresh import begin_anew


@pytest.fixture
def ledger(transactional_db: None) -> Iterator[None]:
    """An empty database that threads share; what a process keeps running and in memory begins with the test."""
    # Not above: conftest files read this module, and pytest reads those before Django is set up.
    from django.conf import settings
    from django.core.cache import cache

    from events.log import epochs
    from gateway.identity.known_sessions import known_sessions
    from gateway.identity.principals import directory
    from gateway.shared_store.limits import limiter
    from ledger.reader import close_all
    from ledger.writer import writer

    begin_anew(directory)
    begin_anew(limiter)
    # The log of the test before this one went further, and was put back.
    cache.delete("log_mark")
    (Path(settings.DATA_DIR) / "log_mark").unlink(missing_ok=True)
    epochs._witnesses.clear()
    begin_anew(known_sessions)
    yield
    writer.close()
    close_all()
    begin_anew(directory)
