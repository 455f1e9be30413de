"""Rows are dated by the database's clock. No column changes: Django notes where the default comes from."""

from django.db import migrations, models

import ledger.clock


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0006_ended_tickets"),
    ]

    operations = [
        migrations.AlterField(
            model_name="chore",
            name="due_at",
            field=models.DateTimeField(default=ledger.clock.now),
        ),
        migrations.AlterField(
            model_name="endedsession",
            name="at",
            field=models.DateTimeField(default=ledger.clock.now),
        ),
        migrations.AlterField(
            model_name="endedstream",
            name="at",
            field=models.DateTimeField(default=ledger.clock.now),
        ),
        migrations.AlterField(
            model_name="endedticket",
            name="at",
            field=models.DateTimeField(default=ledger.clock.now),
        ),
        migrations.AlterField(
            model_name="tokenaudit",
            name="at",
            field=models.DateTimeField(default=ledger.clock.now),
        ),
    ]
