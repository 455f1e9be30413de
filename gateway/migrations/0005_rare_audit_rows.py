"""What is rare in the audit is found without reading it all. No ticket that is issued pays for any of these."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_roles")]

    operations = [
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["stream_id"], name="audit_stream", condition=Q(stream_id__gt="")),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["actor", "at"], name="audit_actor", condition=Q(actor__gt="")),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(fields=["principal_id", "at"], name="audit_refused", condition=Q(action="refused")),
        ),
        migrations.AddIndex(
            model_name="tokenaudit",
            index=models.Index(
                fields=["action", "at"],
                name="audit_rare",
                condition=~Q(action="ticket_issued") & ~Q(action="ticket_redeemed"),
            ),
        ),
    ]
