"""How many connections and streams one process takes, from the limit on its files and the setting."""

import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from events.stream import capacity


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> "Files":
    return Files(monkeypatch)


class Files:
    """The limit on open files, as the kernel says it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def are_limited_to(self, soft: int) -> None:
        self._monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, resource.RLIM_INFINITY))


@given(limit=st.integers(200, 1_000_000))
def test_r05_all_that_may_be_open_fits_into_the_limit_on_files(limit: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        Files(monkeypatch).are_limited_to(limit)
        maximum = capacity.connection_limit() + capacity.OVERFLOW_CONNECTIONS + capacity.FILES_RESERVED
        assert maximum <= limit
        assert capacity.stream_limit() < capacity.connection_limit()


@pytest.mark.parametrize("limit", [0, 1, 64, 96, 128])
def test_a_process_that_may_open_next_to_nothing_serves_one(files: Files, limit: int) -> None:
    files.are_limited_to(limit)
    assert capacity.connection_limit() == max(1, limit - 96)
    assert capacity.stream_limit() == 1


def test_without_a_limit_on_files_there_still_is_one(files: Files) -> None:
    files.are_limited_to(resource.RLIM_INFINITY)
    assert 100_000 < capacity.stream_limit() < 10_000_000


@pytest.mark.parametrize(("setting", "limit"), [(3, 3), (0, 1024 - 64 - 32 - 32), (100_000, 1024 - 64 - 32 - 32)])
def test_the_setting_lowers_the_limit_and_never_raises_it(
    files: Files, settings: Settings, setting: int, limit: int
) -> None:
    files.are_limited_to(1024)
    settings.MAX_STREAMS = setting
    assert capacity.stream_limit() == limit
