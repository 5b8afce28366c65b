"""The table of entries."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates `guestbook_entry`."""

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("message", models.TextField(max_length=2000)),
                ("word_count", models.PositiveIntegerField(blank=True, editable=False, null=True)),
                ("created", models.DateTimeField(auto_now_add=True, db_index=True)),
            ],
            options={
                "verbose_name_plural": "entries",
                "ordering": ["-created", "-pk"],
            },
        ),
    ]
