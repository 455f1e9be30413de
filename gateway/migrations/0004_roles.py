"""What each role may do in the admin. Being staff lets a person in; the role says what is there for him."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# (app, model): codenames and, for those that are not Django's usual four, their names.
VIEW_RECORDS = {
    ("gateway", "accesstoken"): ("view_accesstoken",),
    ("gateway", "tokenaudit"): ("view_tokenaudit",),
    ("events", "event"): ("view_event",),
    ("events", "node"): ("view_node",),
    ("events", "streamsession"): ("view_streamsession",),
    ("operator_api", "window"): ("view_window",),
}
MANAGE = {
    ("gateway", "accesstoken"): ("add_accesstoken", "change_accesstoken", "delete_accesstoken"),
    ("events", "streamsession"): ("disconnect_stream",),
    ("auth", "user"): ("view_user", "add_user", "change_user", "delete_user"),
    ("auth", "group"): ("view_group",),
}
GRANTS = {
    "viewer": [],
    "operator": [{key: VIEW_RECORDS[key] for key in [("events", "streamsession"), ("operator_api", "window")]}],
    "auditor": [VIEW_RECORDS],
    "administrator": [VIEW_RECORDS, MANAGE],
}
NAMES = {"disconnect_stream": "Can end open streams"}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Makes the permissions too: on a fresh database Django does so only after the last migration."""
    for role, parts in GRANTS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        group.permissions.add(*[row for part in parts for row in _permissions(apps, part)])


def revoke(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for role, parts in GRANTS.items():
        group = apps.get_model("auth", "Group").objects.filter(name=role).first()
        if group is not None:
            group.permissions.remove(*[row for part in parts for row in _permissions(apps, part)])


def _permissions(apps: Apps, part):
    for (app, model), codenames in part.items():
        # By name alone, so that this app need not wait for the migrations of those that are built on it.
        kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label=app, model=model)
        for codename in codenames:
            usual = f"Can {codename.replace('_' + model, '')} {VERBOSE_NAMES.get(model, model)}"
            row, _ = apps.get_model("auth", "Permission").objects.get_or_create(
                content_type=kind, codename=codename, defaults={"name": NAMES.get(codename, usual)}
            )
            yield row


VERBOSE_NAMES = {
    "accesstoken": "access token",
    "tokenaudit": "token audit entry",
    "streamsession": "stream session",
}


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0003_audit_and_chores"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(grant, revoke)]
