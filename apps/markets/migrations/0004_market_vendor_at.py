"""When the vendor last changed a market: what it said before that is older and changes nothing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add a column that may be empty, which rewrites no row."""

    dependencies = [("markets", "0003_bookmaker_odds")]

    operations = [
        migrations.RunSQL("SET LOCAL lock_timeout = '5s'", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="market",
            name="vendor_at",
            field=models.DateTimeField(blank=True, help_text="when the vendor last changed it, by its own clock", null=True),
        ),
    ]
