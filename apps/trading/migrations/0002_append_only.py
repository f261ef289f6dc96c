"""Fills are never changed."""

from django.db import migrations

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    """Set the trigger."""

    dependencies = [("trading", "0001_tables")]
    operations = [append_only("trading_fill")]
