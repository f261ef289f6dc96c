"""Forecasts and judgements may only grow: a track record that can be edited is none."""

from django.db import migrations

from apps.core.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("forecasts", "0001_tables")]

    operations = [append_only("forecasts_forecast"), append_only("forecasts_judgement"), append_only("forecasts_poolweights")]
