"""What each role may do in the admin with chat messages and modules: auditors look, administrators set probes."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

LOOK_AT_MODULES = ("module", "view_module", "Can view module")
READ_CHAT = ("chatmessage", "view_chatmessage", "Can view chat message")
CHANGE_MODULES = [
    ("module", "add_module", "Can add module"),
    ("module", "change_module", "Can change module"),
    ("module", "delete_module", "Can delete module"),
]
GRANTS = {
    "operator": [LOOK_AT_MODULES],
    "auditor": [LOOK_AT_MODULES, READ_CHAT],
    "administrator": [LOOK_AT_MODULES, READ_CHAT, *CHANGE_MODULES],
}


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
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="operator_api", model=model)
    row, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=codename, defaults={"name": name}
    )
    return row


class Migration(migrations.Migration):
    dependencies = [
        ("operator_api", "0002_windows_chat_modules"),
        ("gateway", "0004_roles"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
