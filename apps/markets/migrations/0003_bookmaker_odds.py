"""The table of bookmakers' odds: it only grows."""

import django.db.models.deletion
from django.db import migrations, models

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    """Make the table and its guard."""

    dependencies = [("markets", "0002_quote_partitions")]

    operations = [
        migrations.CreateModel(
            name="BookmakerOdds",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("bookmaker", models.CharField(max_length=60)),
                ("odds", models.DecimalField(decimal_places=10, max_digits=24)),
                ("is_suspended", models.BooleanField(help_text="known and not to be taken")),
                (
                    "is_closing",
                    models.BooleanField(help_text="the last odds before the start, where the source tells them apart"),
                ),
                ("vendor_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField()),
                ("digest", models.CharField(help_text="of odds and state: the same again is not stored", max_length=32)),
                (
                    "outcome",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="odds",
                        to="markets.outcome",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "bookmaker odds",
                "indexes": [models.Index(fields=["outcome", "bookmaker", "is_closing", "-id"], name="odds_newest")],
            },
        ),
        append_only("markets_bookmakerodds"),
    ]
