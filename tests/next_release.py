"""A release that comes after this one: the same code under another version, with one migration more."""

import re
import shutil
from pathlib import Path

from tests.servers import ROOT

NEXT_VERSION = "99.0.0"
PACKAGES = ("vx11_site", "gateway", "events", "operator_api", "ledger", "vx11_client")
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


def make(folder: Path) -> Path:
    """Its checkout."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    # Python imports from where a script really is, so a link would lead back here.
    shutil.copy2(ROOT / "manage.py", folder)
    for name in USED_AS_THEY_ARE:
        (folder / name).symlink_to(ROOT / name)
    package = folder / "vx11_site/__init__.py"
    text, changes = re.subn(
        r'__version__ = ".*"', f'__version__ = "{NEXT_VERSION}"', package.read_text(encoding="utf-8")
    )
    assert changes == 1
    package.write_text(text, encoding="utf-8")
    migrations = folder / "events/migrations"
    newest = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / f"{NAME}.py").write_text(MIGRATION.format(newest=newest), encoding="utf-8")
    return folder
