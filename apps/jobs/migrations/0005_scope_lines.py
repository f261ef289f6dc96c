"""Find what waits for a scope to become free, in the order of its turns."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # an index is built beside the work only outside of a transaction

    dependencies = [("jobs", "0004_what_beats_remember")]

    operations = [
        AddIndexConcurrently(
            model_name="job",
            index=models.Index(
                "scope",
                models.F("slot_at").asc(nulls_first=True),
                condition=models.Q(state="queued") & ~models.Q(scope=""),
                name="job_scope_line",
            ),
        ),
    ]
