"""Of a schedule that fails at each slot, one dead letter waits for a person: the newest."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from apps.core.db import lock_for_transaction, transaction_required
from apps.jobs.misfires import superseded_by

# At one time so many give way; more were left by a desk that did not know this yet, and the next time goes on.
ROWS_MAX = 1_000
# Under the policy "all" the work of each slot is wanted. `schedule <> ''` says what the index of parked slots holds.
NEWEST = """
    SELECT max(slot_at) FROM jobs_job WHERE state = 'parked' AND schedule = %(name)s AND schedule <> ''
        AND NOT EXISTS (SELECT FROM jobs_schedule WHERE name = %(name)s AND misfire = 'all')
"""
# What happened at each slot stays in its row: when it ended, its own reason and its trace.
GIVE_WAY = """
    UPDATE jobs_job SET state = 'discarded', reason = left(%(why)s || ': ' || reason, 300)
    WHERE state = 'parked' AND id = ANY(ARRAY(
        SELECT id FROM jobs_job WHERE state = 'parked' AND schedule = %(name)s AND schedule <> '' AND slot_at < %(newest)s
        ORDER BY slot_at DESC LIMIT %(limit)s))
"""


@transaction_required
def keep_newest_parked(*, schedules: Iterable[str]) -> int:
    """Discard the parked jobs of each of these schedules except that of its newest slot, and return how many went.

    Jobs without a schedule bear the name "", which is left out.
    """
    return sum(_keep_newest(name) for name in sorted(set(schedules) - {""}))


def _keep_newest(name: str) -> int:
    # Two that park at once would not see each other's row, and both would stay.
    lock_for_transaction(f"jobs.parked:{name}")
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, {"name": name})
        ((newest,),) = cursor.fetchall()
        if newest is None:
            return 0
        values = {"name": name, "newest": newest, "why": superseded_by(newest), "limit": ROWS_MAX}
        cursor.execute(GIVE_WAY, values)
        return int(cursor.rowcount)
