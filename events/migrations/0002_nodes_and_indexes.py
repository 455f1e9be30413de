"""What a node says of its streams, the right to end them, and indexes without their second one for LIKE."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="streamsession",
            options={"ordering": ("-opened_at",), "permissions": (("disconnect_stream", "Can end open streams"),)},
        ),
        migrations.AddField(
            model_name="node",
            name="draining",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="node",
            name="held_bytes",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="node",
            name="slow_readers",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="node",
            name="streams",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="event",
            name="correlation_id",
            field=models.CharField(max_length=64),
        ),
        migrations.AlterField(
            model_name="streamsession",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="streamsession",
            name="opened_at",
            field=models.DateTimeField(),
        ),
        migrations.AlterField(
            model_name="streamsession",
            name="principal_id",
            field=models.CharField(max_length=32),
        ),
        migrations.AlterField(
            model_name="streamsession",
            name="ticket_id",
            field=models.CharField(blank=True, max_length=32),
        ),
        migrations.AddIndex(
            model_name="event",
            index=models.Index(fields=["correlation_id"], name="event_correlation"),
        ),
        migrations.AddIndex(
            model_name="streamsession",
            index=models.Index(fields=["opened_at"], name="stream_opened"),
        ),
        migrations.AddIndex(
            model_name="streamsession",
            index=models.Index(fields=["closed_at"], name="stream_closed"),
        ),
        migrations.AddIndex(
            model_name="streamsession",
            index=models.Index(fields=["principal_id", "opened_at"], name="stream_principal"),
        ),
        migrations.AddIndex(
            model_name="streamsession",
            index=models.Index(fields=["ticket_id"], name="stream_ticket"),
        ),
    ]
