"""What a server on SQLite, without watches and webhooks, has not loaded."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import ROOT
from vx11_site.apps import kept_out

# With what each is for.
UNUSED = {
    "psycopg": "PostgreSQL",
    "django.contrib.postgres": "fields that no model has",
    "requests": "Apprise, which sends the notices of watches",
    "apprise": "notices of watches",
    "autobahn": "Daphne's WebSocket",
    "markdown": "pages of REST framework",
    "pygments": "as above",
    "jsonschema": "the OpenAPI document",
    "channels_redis": "Redis",
}
LOAD = """
import vx11_site.asgi, vx11_site.server.daphne
from django.urls import get_resolver
get_resolver().url_patterns
import sys
print(" ".join(name for name in sys.argv[1:] if sys.modules.get(name)))
from daphne.server import WebSocketFactory
print(WebSocketFactory.__module__)
"""


def test_a_server_loads_nothing_that_it_has_no_use_for(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VX11_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", LOAD, *UNUSED]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["", "vx11_site.server.no_autobahn"]


def test_what_was_kept_out_can_be_loaded_afterwards() -> None:
    assert "colorsys" not in sys.modules
    with kept_out(("colorsys", "json")):
        with pytest.raises(ImportError):
            importlib.import_module("colorsys")
        # It was loaded before, so it stays.
        assert importlib.import_module("json").loads("1") == 1
    assert importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)
