"""In which database the log took its last append."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("events", "0002_nodes_and_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="loghead",
            name="incarnation",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="loghead",
            name="synchronous",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
