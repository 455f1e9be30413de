"""Tickets that are revoked before they are used, and the word for it in the audit."""

import django.utils.timezone
from django.db import migrations, models

ACTIONS = [
    ("token_issued", "Token Issued"),
    ("token_changed", "Token Changed"),
    ("token_revoked", "Token Revoked"),
    ("token_deleted", "Token Deleted"),
    ("ticket_issued", "Ticket Issued"),
    ("ticket_redeemed", "Ticket Redeemed"),
    ("ticket_revoked", "Ticket Revoked"),
    ("refused", "Refused"),
    ("stream_disconnected", "Stream Disconnected"),
    ("signed_in", "Signed In"),
    ("signed_out", "Signed Out"),
    ("sign_in_failed", "Sign In Failed"),
    ("admin_changed", "Admin Changed"),
    ("exported", "Exported"),
    ("purged", "Purged"),
]


class Migration(migrations.Migration):
    dependencies = [("gateway", "0005_rare_audit_rows")]

    operations = [
        migrations.CreateModel(
            name="EndedTicket",
            fields=[
                ("ticket_id", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AlterField(
            model_name="tokenaudit", name="action", field=models.CharField(choices=ACTIONS, max_length=20)
        ),
    ]
