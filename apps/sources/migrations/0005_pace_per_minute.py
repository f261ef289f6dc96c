from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sources", "0004_outcome_kept")]

    operations = [
        migrations.AddField(
            model_name="source",
            name="pace_per_minute",
            field=models.IntegerField(
                blank=True, help_text="calls a minute at most, set by staff; empty: as published", null=True
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.CheckConstraint(condition=models.Q(("pace_per_minute__gte", 1)), name="source_pace_is_positive"),
        ),
    ]
