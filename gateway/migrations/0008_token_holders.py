"""Serving processes write which tokens of the environment they hold."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0007_times_of_the_database"),
    ]

    operations = [
        migrations.CreateModel(
            name="TokenHolder",
            fields=[
                ("process", models.CharField(max_length=150, primary_key=True, serialize=False)),
                ("seen_at", models.DateTimeField(db_index=True)),
                ("digests", models.JSONField(default=list)),
            ],
        ),
    ]
