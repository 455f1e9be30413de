"""docs/feeding: the Python of its pages does what they say, as it stands there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client import Client
from tests.servers import ROOT
from tests.stack.feeding_pages import block
from tests.stack.module_log import stored
from tests.stacks import Stack

pytestmark = pytest.mark.once
SITE = """
import django
from django.conf import settings
from django.test import Client
from django.urls import path

def broken(request):
    raise ValueError("the shelf is empty")

urlpatterns = [path("broken", broken)]
settings.configure(LOGGING=LOGGING, ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["*"])
django.setup()
assert Client(raise_request_exception=False).get("/broken").status_code == 500
"""
# In place of the package: its signals call what is connected to them.
CELERY = """
import sys, types

class Signal:
    def __init__(self):
        self.receivers = []
    def connect(self, receiver):
        self.receivers.append(receiver)
        return receiver
    def send(self, **words):
        assert self.receivers
        for receiver in self.receivers:
            receiver(**words)

names = ("after_setup_logger", "after_setup_task_logger", "task_failure", "task_success", "worker_process_shutdown",
         "worker_shutdown")
celery = types.ModuleType("celery")
celery.signals = types.SimpleNamespace(**{name: Signal() for name in names})
sys.modules["celery"] = celery
"""
WORKER = """
root = logging.getLogger()
root.setLevel(logging.INFO)
for _ in range(2):
    signals.after_setup_logger.send(logger=root, sender=None)
task = types.SimpleNamespace(name="shop.bill", request=types.SimpleNamespace(id="task-1"))
signals.task_success.send(sender=task, result=1)
signals.task_failure.send(sender=task, task_id="task-2", exception=ValueError("no paper"), einfo="Traceback ...")
signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
os._exit(0)
"""


def run(program: str, stack: Stack, folder: Path, module: str) -> None:
    for shown in ("shop", "site", "tasks"):
        program = program.replace(f'module="{shown}"', f'module="{module}"')
        program = program.replace(f'"module": "{shown}"', f'"module": "{module}"')
    ours = {"VX11_URL": stack.a.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **stack.a.environment, **ours},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_program_in_python(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    run(block("python.md", "python", "basicConfig"), stack, tmp_path, marker)
    [event] = stored(principal, marker)
    assert (event["severity"], event["summary"], event["payload"]["article"]) == ("warn", "stock is low", 4711)


def test_a_program_that_is_configured(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    run(block("python.md", "python", "dictConfig"), stack, tmp_path, marker)
    [event] = stored(principal, marker)
    assert (event["severity"], event["correlation_id"]) == ("error", "order-1")
    assert event["payload"]["logger"] == "shop.payment"


def test_a_site_in_django(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    run(block("django.md", "python") + SITE, stack, tmp_path, marker)
    [event] = stored(principal, marker)
    assert (event["severity"], event["summary"]) == ("error", "Internal Server Error: /broken")
    assert event["payload"]["exception"].endswith("ValueError: the shelf is empty")
    assert event["payload"]["status_code"] == 500


def test_tasks_of_celery(tmp_path: Path, stack: Stack, principal: Client, marker: str) -> None:
    run(CELERY + block("celery.md", "python") + WORKER, stack, tmp_path, marker)
    done, failed = stored(principal, marker)
    assert (done["event_type"], done["severity"], done["correlation_id"]) == ("task.done", "info", "task-1")
    assert (failed["event_type"], failed["severity"], failed["correlation_id"]) == ("task.failed", "error", "task-2")
    assert failed["payload"]["traceback"] == "Traceback ..."
