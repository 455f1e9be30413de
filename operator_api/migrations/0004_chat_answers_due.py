from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operator_api", "0003_roles")]

    operations = [
        migrations.AddField(
            model_name="chatmessage",
            name="answer_due_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="chatmessage",
            index=models.Index(
                condition=models.Q(("answer_due_at__isnull", False)), fields=["answer_due_at"], name="chat_due"
            ),
        ),
    ]
