"""What is kept out of full collections is still freed when it is dropped."""

import gc
import weakref

import pytest

from ledger import long_lived
from tests.watches.samples import create, evaluate, owner
from watches.evaluation import log_reader


class Loaded:
    """Something large."""


def test_what_is_kept_is_not_scanned_any_more_and_is_freed_when_it_is_dropped() -> None:
    loaded = Loaded()
    long_lived.keep()
    assert not any(one is loaded for one in gc.get_objects())
    freed = weakref.ref(loaded)
    del loaded
    assert freed() is None


@pytest.mark.usefixtures("ledger")
def test_watches_are_kept_once_many_were_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_reader, "KEPT_WATCHES", 2)
    by = owner()
    create(by, name="one")
    reader = evaluate()
    reader.keep()
    kept = gc.get_freeze_count()
    create(by, name="two")
    evaluate(reader)
    reader.keep()
    assert gc.get_freeze_count() > kept
