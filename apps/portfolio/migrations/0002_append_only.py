"""The course of equity is never changed."""

from django.db import migrations

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    """Set the trigger."""

    dependencies = [("portfolio", "0001_tables")]
    operations = [append_only("portfolio_equitypoint")]
