"""Tests of gateway and backend: with `--stack=split` alone, as other stacks have neither."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--stack") != "split" else None
