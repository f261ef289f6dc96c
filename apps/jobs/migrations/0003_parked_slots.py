"""Find the parked jobs of a schedule without reading its whole history."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # an index is built beside the work only outside of a transaction

    dependencies = [("jobs", "0002_room_to_move")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                fields=("schedule", "slot_at"),
                condition=models.Q(state="parked") & ~models.Q(schedule=""),
                name="job_parked_slot",
            ),
        ),
    ]
