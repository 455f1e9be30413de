"""The row of the reader, and what each role may do in the admin with watches, targets, notices and webhooks."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

READ = [
    ("watch", "view_watch", "Can view watch"),
    ("firing", "view_firing", "Can view firing"),
]
READ_DELIVERY = [
    ("notice", "view_notice", "Can view notice"),
    ("target", "view_target", "Can view target"),
    ("subscription", "view_subscription", "Can view subscription"),
]
MANAGE = [
    *(
        (name, f"{verb}_{name}", f"Can {verb} {name}")
        for name in ("target", "subscription")
        for verb in ("add", "change", "delete")
    ),
    ("watch", "delete_watch", "Can delete watch"),
    ("notice", "change_notice", "Can change notice"),
]
GRANTS = {
    "operator": READ,
    "auditor": [*READ, *READ_DELIVERY],
    "administrator": [*READ, *READ_DELIVERY, *MANAGE],
}


def make_reader(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("watches", "WatchReader").objects.get_or_create(pk=1)


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


def _permission(apps: Apps, model: str, codename: str, name: str):
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="watches", model=model)
    row, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return row


class Migration(migrations.Migration):
    dependencies = [
        ("watches", "0001_initial"),
        ("gateway", "0004_roles"),
    ]
    operations = [
        migrations.RunPython(make_reader, migrations.RunPython.noop),
        migrations.RunPython(grant, revoke),
    ]
