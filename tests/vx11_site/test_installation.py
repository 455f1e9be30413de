"""Commands are shown as a person can call them, wherever the environment lies."""

from pathlib import Path

import pytest

from vx11_site.installation import call_of


@pytest.mark.parametrize(
    ("python", "shown"),
    [
        ("/srv/vx11/.venv/bin/python", ".venv/bin/python manage.py"),
        ("/opt/vx11-venv/bin/python", "/opt/vx11-venv/bin/python manage.py"),
        ("/opt/vx11 venv/bin/python", "'/opt/vx11 venv/bin/python' manage.py"),
    ],
    ids=["in the checkout", "elsewhere", "a path with a space"],
)
def test_a_command_is_called_by_the_interpreter_that_runs(python: str, shown: str) -> None:
    assert call_of(Path(python), Path("/srv/vx11")) == shown
