"""Changes of saved views in the audit."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0008_token_holders"),
    ]

    operations = [
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
                    ("ticket_revoked", "Ticket Revoked"),
                    ("refused", "Refused"),
                    ("stream_disconnected", "Stream Disconnected"),
                    ("signed_in", "Signed In"),
                    ("signed_out", "Signed Out"),
                    ("sign_in_failed", "Sign In Failed"),
                    ("admin_changed", "Admin Changed"),
                    ("exported", "Exported"),
                    ("view_changed", "View Changed"),
                    ("purged", "Purged"),
                ],
                max_length=20,
            ),
        ),
    ]
