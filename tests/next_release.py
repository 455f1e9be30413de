"""Releases before and after this one: the same code under another version, with fewer migrations or one more."""

import re
import shutil
from pathlib import Path

from tests.apps import APPS
from tests.servers import ROOT

NEXT_VERSION = "99.0.0"
USED_AS_THEY_ARE = ("static", "templates", "locale")
NAME = "9000_next_release"
# All that a release may do to what the one before still uses: a column that may be empty, one that the database fills,
# an index, a table.
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("events", "{newest}")]
    operations = [
        migrations.AddField("event", "note", models.CharField(max_length=20, null=True)),
        migrations.AddField("event", "weight", models.IntegerField(db_default=1)),
        migrations.AddIndex("event", models.Index(fields=["note"], name="event_note")),
        migrations.CreateModel("Remark", [("id", models.BigAutoField(primary_key=True))]),
    ]
"""


PREVIOUS_VERSION = "0.0.9"
BEFORE_PARTITIONS = "0004"


def make_previous(folder: Path) -> Path:
    """The checkout of a release from before the migration to partitions, which reads and appends to one table."""
    _copy(folder, version=PREVIOUS_VERSION)
    migrations = folder / "events/migrations"
    for path in migrations.glob("0*.py"):
        if path.stem[:4] > BEFORE_PARTITIONS:
            path.unlink()
    partitions = folder / "events/log/partitions.py"
    text = partitions.read_text(encoding="utf-8")
    known = 'connection.vendor != "postgresql"'
    assert known in text
    partitions.write_text(text.replace(known, "True"), encoding="utf-8")
    return folder


def make(folder: Path) -> Path:
    """The checkout of the release that comes after this one."""
    _copy(folder, version=NEXT_VERSION)
    migrations = folder / "events/migrations"
    newest = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / f"{NAME}.py").write_text(MIGRATION.format(newest=newest), encoding="utf-8")
    return folder


def _copy(folder: Path, *, version: str) -> None:
    for name in APPS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Python imports from where a script really is, so a link would lead back here.
    shutil.copy2(ROOT / "manage.py", folder)
    for name in USED_AS_THEY_ARE:
        (folder / name).symlink_to(ROOT / name)
    package = folder / "vx11_site/__init__.py"
    text, changes = re.subn(r'__version__ = ".*"', f'__version__ = "{version}"', package.read_text(encoding="utf-8"))
    assert changes == 1
    package.write_text(text, encoding="utf-8")
