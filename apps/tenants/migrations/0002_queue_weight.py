"""How much a tenant weighs when several wait for the same source."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add a column whose value for old rows is a constant, which rewrites no row."""

    dependencies = [("tenants", "0001_tables")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="tenant",
            name="queue_weight",
            field=models.SmallIntegerField(
                db_default=1,
                default=1,
                help_text="its share of a source's calls while other tenants wait too: weight 3 gets three for each one of weight 1",
                validators=(
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="tenant",
            constraint=models.CheckConstraint(
                condition=models.Q(("queue_weight__range", (1, 1000))), name="tenant_queue_weight_in_range"
            ),
        ),
    ]
