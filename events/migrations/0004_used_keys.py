"""Idempotency keys that came with an event which was there already."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0003_log_head_incarnation"),
    ]

    operations = [
        migrations.CreateModel(
            name="UsedKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("publisher", models.CharField(max_length=32)),
                ("key", models.CharField(max_length=128)),
                ("seq", models.BigIntegerField()),
                ("event_id", models.CharField(max_length=64)),
                ("fingerprint", models.CharField(max_length=32)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["at"], name="used_key_at")],
                "constraints": [
                    models.UniqueConstraint(fields=("key", "publisher"), name="used_key_once_per_publisher")
                ],
            },
        ),
    ]
