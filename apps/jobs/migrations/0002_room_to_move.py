"""Rows of jobs change several times in their short life: leave room in their pages and clean up behind them soon."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_tables")]

    operations = [
        migrations.RunSQL(
            sql="""
            SET LOCAL lock_timeout = '5s';
            ALTER TABLE jobs_job SET (
                fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
            );
            """,
            reverse_sql="""
            SET LOCAL lock_timeout = '5s';
            ALTER TABLE jobs_job RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
            """,
        ),
    ]
