"""What each role may do in the admin with webhooks: a new one lets others publish, as a new token does."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

VIEW = [("view_webhook", "Can view webhook")]
MANAGE = [(f"{verb}_webhook", f"Can {verb} webhook") for verb in ("add", "change", "delete")]
GRANTS = {"auditor": VIEW, "administrator": [*VIEW, *MANAGE]}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Makes the permissions too: on a fresh database Django does so only after the last migration."""
    for role, permissions in GRANTS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        group.permissions.add(*[_permission(apps, *permission) for permission in permissions])


def revoke(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, permissions in GRANTS.items():
        group = apps.get_model("auth", "Group").objects.filter(name=role).first()
        if group is not None:
            group.permissions.remove(*[_permission(apps, *permission) for permission in permissions])


def _permission(apps: Apps, codename: str, name: str):
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="receivers", model="webhook"
    )
    row, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return row


class Migration(migrations.Migration):
    dependencies = [
        ("receivers", "0001_initial"),
        ("gateway", "0004_roles"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
