"""The four roles of console users, and the row that counts changes of rights."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = ("viewer", "operator", "auditor", "administrator")


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name in ROLES:
        apps.get_model("auth", "Group").objects.get_or_create(name=name)
    apps.get_model("gateway", "RightsVersion").objects.get_or_create(pk=1)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial"), ("auth", "0012_alter_user_first_name_max_length")]
    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
