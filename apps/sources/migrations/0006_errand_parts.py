from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sources", "0005_pace_per_minute"),
    ]

    operations = [
        migrations.CreateModel(
            name="ErrandPart",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("errand", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=80)),
                ("told", models.JSONField()),
                ("body", models.BinaryField()),
                ("kept_at", models.DateTimeField()),
            ],
            options={
                "ordering": ("id",),
                "constraints": [models.UniqueConstraint(fields=("errand", "name"), name="one_part_of_an_errand_per_name")],
            },
        ),
    ]
