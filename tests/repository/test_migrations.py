"""What `make migrations` says of a next release's migration: it may add, and nothing that is in use may go."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.tree import ROOT

SETTINGS = """
from vx11_site.settings import *

MIGRATION_MODULES = {"operator_api": "next_release"}
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = {initial}
    dependencies = {dependencies}
    operations = [{operation}]
"""
# What all releases have in common here.
FIRST = """migrations.CreateModel("Note", [
    ("id", models.BigAutoField(primary_key=True)), ("text", models.CharField(max_length=20, null=True))
])"""

BREAKS_THE_RELEASE_BEFORE = {
    "a column is dropped": ('migrations.RemoveField("Note", "text")', "DROPPING columns"),
    "a column is renamed": ('migrations.RenameField("Note", "text", "words")', "RENAMING columns"),
    "a column that must be given": (
        'migrations.AddField("Note", "kind", models.CharField(max_length=9, default="x"))',
        "NOT NULL constraint",
    ),
    "a column must be given from now on": (
        'migrations.AlterField("Note", "text", models.CharField(max_length=20))',
        "NOT NULL constraint",
    ),
    "a column of another type": ('migrations.AlterField("Note", "text", models.IntegerField(null=True))', "ALTERING"),
    "a table is dropped": ('migrations.DeleteModel("Note")', "DROPPING table"),
    "a table is renamed": ('migrations.RenameModel("Note", "Remark")', "RENAMING tables"),
    "by SQL of its own": ('migrations.RunSQL("ALTER TABLE operator_api_note DROP COLUMN text")', "DROPPING columns"),
}
LEAVES_IT_AT_WORK = {
    "a column that may be empty": 'migrations.AddField("Note", "kind", models.CharField(max_length=9, null=True))',
    "a column that the database fills": (
        'migrations.AddField("Note", "kind", models.CharField(max_length=9, db_default="x"))'
    ),
    "a table": 'migrations.CreateModel("More", [("id", models.BigAutoField(primary_key=True))])',
}


def lint(folder: Path, operation: str) -> subprocess.CompletedProcess[str]:
    """The target's script, for a release whose newest migration does this."""
    settings = f"next_settings_{secrets.token_hex(4)}"
    (folder / f"{settings}.py").write_text(SETTINGS)
    package = folder / "next_release"
    package.mkdir()
    (package / "__init__.py").touch()
    names = (ROOT / "operator_api/migrations").glob("0*.py")
    newest = max(path.stem for path in names)
    for path in (ROOT / "operator_api/migrations").glob("0*.py"):
        (package / path.name).write_text(path.read_text(encoding="utf-8"))
    (package / "0098_first.py").write_text(
        MIGRATION.format(initial=False, dependencies=[("operator_api", newest)], operation=FIRST)
    )
    (package / "0099_next.py").write_text(
        MIGRATION.format(initial=False, dependencies=[("operator_api", "0098_first")], operation=operation)
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VX11_", "DJANGO_"))}
    environment |= {
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": str(folder),
        "VX11_DATA_DIR": str(folder / "data"),
        "VX11_SECRET_KEY": secrets.token_urlsafe(64),
        "VX11_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, ".ci/lint-migrations"]
    return subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50)


@pytest.mark.parametrize("what", BREAKS_THE_RELEASE_BEFORE)
def test_what_the_release_before_could_not_live_with_is_refused(tmp_path: Path, what: str) -> None:
    operation, words = BREAKS_THE_RELEASE_BEFORE[what]
    done = lint(tmp_path, operation)
    assert (done.returncode, done.stderr) == (1, "")
    assert "(operator_api, 0099_next)... ERR" in done.stdout
    assert words in done.stdout


@pytest.mark.parametrize("what", LEAVES_IT_AT_WORK)
def test_what_only_adds_is_allowed(tmp_path: Path, what: str) -> None:
    done = lint(tmp_path, LEAVES_IT_AT_WORK[what])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
