from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from events.index import Store


@pytest.fixture
def store(ledger: None, tmp_path: Path) -> Iterator["Store"]:
    """An empty store of the database of this run, with segments so short that a few events fill several."""
    # Not above: pytest reads conftest files before Django is set up.
    from tests.events.index.stores import make_store

    made = make_store(tmp_path)
    yield made
    made.remove()
