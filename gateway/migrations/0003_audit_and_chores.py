"""Audit rows that the database itself keeps from being changed, ended streams, and chores."""

import django.utils.timezone
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Access to the database without Django cannot change the audit by mistake either. On SQLite a change of the table's
# form makes it anew, without triggers: such a migration must call protect() again, and a test says so.
TRIGGERS = {
    "sqlite": [
        """CREATE TRIGGER IF NOT EXISTS gateway_tokenaudit_final BEFORE UPDATE ON gateway_tokenaudit
        BEGIN SELECT RAISE(ABORT, 'audit rows are not changed'); END"""
    ],
    "postgresql": [
        """CREATE OR REPLACE FUNCTION gateway_tokenaudit_final() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'audit rows are not changed'; END $$""",
        """CREATE TRIGGER gateway_tokenaudit_final BEFORE UPDATE ON gateway_tokenaudit
        FOR EACH ROW EXECUTE FUNCTION gateway_tokenaudit_final()""",
    ],
}


def protect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in TRIGGERS[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def unprotect(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    table = " ON gateway_tokenaudit" if schema_editor.connection.vendor == "postgresql" else ""
    schema_editor.execute(f"DROP TRIGGER IF EXISTS gateway_tokenaudit_final{table}")


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0002_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Chore",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("outcome", models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name="EndedStream",
            fields=[
                ("stream_id", models.CharField(max_length=36, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AddField(
            model_name="tokenaudit",
            name="actor",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="action",
            field=models.CharField(
                choices=[
                    ("token_issued", "Token Issued"),
                    ("token_changed", "Token Changed"),
                    ("token_revoked", "Token Revoked"),
                    ("token_deleted", "Token Deleted"),
                    ("ticket_issued", "Ticket Issued"),
                    ("ticket_redeemed", "Ticket Redeemed"),
                    ("refused", "Refused"),
                    ("stream_disconnected", "Stream Disconnected"),
                    ("signed_in", "Signed In"),
                    ("signed_out", "Signed Out"),
                    ("sign_in_failed", "Sign In Failed"),
                    ("admin_changed", "Admin Changed"),
                    ("exported", "Exported"),
                    ("purged", "Purged"),
                ],
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="at",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="correlation_id",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="principal_id",
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="ticket_id",
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["at"], name="audit_at"),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["principal_id", "at"], name="audit_principal"),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["ticket_id"], name="audit_ticket"),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["correlation_id"], name="audit_correlation"),
        ),
        migrations.RunPython(protect, unprotect),
    ]
