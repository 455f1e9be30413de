"""Fixtures of the tests of both publishers."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.vx11_client.publishers import TOKEN, FromAsync, Make, quick_backoff
from vx11_client import Publisher


@pytest.fixture(params=[Publisher, FromAsync], ids=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes a publisher that waits little between tries."""
    made: list[Any] = []

    def publisher(url: str, **options: Any) -> Any:
        made.append(request.param(url, TOKEN, **{"backoff": quick_backoff, **options}))
        return made[-1]

    yield publisher
    for each in made:
        if isinstance(each, FromAsync):
            each.end()
