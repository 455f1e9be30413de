"""Saved views, and the view with which each principal's console begins; in the admin, administrators may delete them."""

import uuid

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

LOOK_AT_VIEWS = ("view_savedview", "Can view saved view")
DELETE_VIEWS = ("delete_savedview", "Can delete saved view")
GRANTS = {"auditor": [LOOK_AT_VIEWS], "administrator": [LOOK_AT_VIEWS, DELETE_VIEWS]}


def grant(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Makes the permissions too: on a fresh database Django does so only after the last migration."""
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="operator_api", model="savedview"
    )
    for role, permissions in GRANTS.items():
        group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=role)
        for codename, name in permissions:
            permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
                content_type=kind, codename=codename, defaults={"name": name}
            )
            group.permissions.add(permission)


def revoke(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    codenames = [codename for codename, _ in GRANTS["administrator"]]
    apps.get_model("auth", "Permission").objects.filter(
        content_type__app_label="operator_api", codename__in=codenames
    ).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("operator_api", "0004_chat_answers_due"),
        ("gateway", "0004_roles"),
    ]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner_id", models.CharField(max_length=32)),
                ("owner_name", models.CharField(blank=True, max_length=150)),
                ("name", models.CharField(max_length=80)),
                ("query", models.CharField(blank=True, max_length=1000)),
                ("time_from", models.CharField(blank=True, max_length=40, verbose_name="from")),
                ("time_to", models.CharField(blank=True, max_length=40, verbose_name="to")),
                ("columns", models.CharField(blank=True, max_length=1000)),
                ("facets", models.CharField(blank=True, max_length=1000)),
                ("shared", models.BooleanField(default=False, help_text="All who may read events see it.")),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("name", "pk"),
                "indexes": [models.Index(condition=models.Q(("shared", True)), fields=["shared"], name="view_shared")],
                "constraints": [models.UniqueConstraint(fields=("owner_id", "name"), name="view_name_once_per_owner")],
            },
        ),
        migrations.CreateModel(
            name="StartView",
            fields=[
                ("principal_id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("chosen_at", models.DateTimeField()),
                ("view", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="operator_api.savedview")),
            ],
        ),
        migrations.RunPython(grant, revoke),
    ]
