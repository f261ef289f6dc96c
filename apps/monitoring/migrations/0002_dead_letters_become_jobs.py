"""Dead letters become parked jobs under their own ids, so that the audit trail still leads to them."""

from django.db import migrations

BECOME_JOBS = r"""
SET LOCAL lock_timeout = '5s';
INSERT INTO jobs_job (
    id, task, kwargs, queue, key, scope, schedule, slot_at, tenant, source, priority, state, attempts, attempts_max,
    postponements, next_try_at, lease_owner, fencing_token, progress_note, made_at, made_by, finished_at, reason, trace
)
SELECT id, task, kwargs,
    CASE split_part(task, '.', 2)
        WHEN 'ingest' THEN 'fetch' WHEN 'news' THEN 'fetch' WHEN 'forecast' THEN 'forecast' WHEN 'backup' THEN 'backup'
        WHEN 'signal' THEN 'money' WHEN 'trade' THEN 'money' WHEN 'settle' THEN 'money' ELSE 'upkeep'
    END,
    NULL, '', '', NULL, '', '', 0, CASE state WHEN 'replayed' THEN 'done' ELSE state END, attempts, 3,
    0, parked_at, '', 0, CASE WHEN ended_by = '' THEN '' ELSE state || ' by ' || ended_by END, parked_at,
    'migration:dead_letters', COALESCE(ended_at, parked_at), reason, trace
FROM monitoring_deadletter;
"""
BECOME_LETTERS = r"""
SET LOCAL lock_timeout = '5s';
INSERT INTO monitoring_deadletter (id, task, kwargs, reason, trace, attempts, state, parked_at, ended_at, ended_by)
SELECT id, task, kwargs, reason, trace, attempts, CASE WHEN state IN ('parked', 'discarded') THEN state ELSE 'replayed' END,
    CASE WHEN id LIKE 'dlt\_%' THEN made_at ELSE finished_at END, CASE state WHEN 'parked' THEN NULL ELSE finished_at END,
    left(regexp_replace(progress_note, '^(replayed|discarded) by ', ''), 120)
FROM jobs_job WHERE state = 'parked' OR (id LIKE 'dlt\_%' AND state NOT IN ('queued', 'running'));
DELETE FROM jobs_job WHERE state = 'parked' OR (id LIKE 'dlt\_%' AND state NOT IN ('queued', 'running'));
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0001_tables"), ("jobs", "0001_tables")]

    operations = [
        migrations.RunSQL(sql=BECOME_JOBS, reverse_sql=BECOME_LETTERS),
        migrations.DeleteModel(name="DeadLetter"),
    ]
