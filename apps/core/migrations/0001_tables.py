"""Sections that one process at a time may be in. Unlogged: after a crash of the server nobody is in one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Section",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("holder", models.CharField(max_length=60)),
                ("until", models.DateTimeField()),
            ],
            options={"ordering": ("name",)},
        ),
        migrations.RunSQL(
            sql="SET LOCAL lock_timeout = '5s'; ALTER TABLE core_section SET UNLOGGED;",
            reverse_sql="SET LOCAL lock_timeout = '5s'; ALTER TABLE core_section SET LOGGED;",
        ),
    ]
