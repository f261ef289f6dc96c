"""Rows of jobs change several times in their short life: leave room in their pages and clean up behind them soon.

Django gives every text key a second index for LIKE; nobody searches jobs so, and each change of a row would write to it.
"""

from django.db import migrations

DROP_LIKE_INDEXES = """
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT indexname FROM pg_indexes
            WHERE schemaname = current_schema() AND tablename = 'jobs_job' AND indexname LIKE 'jobs_job_%_like'
        LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
    END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_tables")]

    operations = [
        migrations.RunSQL(
            sql=f"""
            SET LOCAL lock_timeout = '5s';
            ALTER TABLE jobs_job SET (
                fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02
            );
            {DROP_LIKE_INDEXES}
            """,
            reverse_sql="""
            SET LOCAL lock_timeout = '5s';
            ALTER TABLE jobs_job RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor);
            """,
        ),
    ]
