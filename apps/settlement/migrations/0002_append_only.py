"""Settlement lines are never changed; a settlement is reversed by new entries."""

from django.db import migrations

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    """Set the trigger."""

    dependencies = [("settlement", "0001_tables")]
    operations = [append_only("settlement_settlementline")]
