"""Let every beat know that a schedule was off or had other times, whichever beat saw it and when it was started."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0003_parked_slots")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", reverse_sql="SET LOCAL lock_timeout = '5s'"),
        migrations.AddField(
            model_name="schedule",
            name="is_on",
            field=models.BooleanField(default=True, help_text="as the beats saw it last"),
        ),
        migrations.AddField(
            model_name="schedule",
            name="rhythm",
            field=models.CharField(
                blank=True, default="", help_text="a digest of its times as the beats saw them", max_length=32
            ),
        ),
    ]
