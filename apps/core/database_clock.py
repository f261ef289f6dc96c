"""The clock that all processes share: PostgreSQL's. Whatever one process writes for another to wait for goes by it.

The clocks of hosts differ. A lease that one host writes and another judges would end too early, or a job that is due "now"
would look early to whoever is told of it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection

# For statements that have a parameter `now`: the moment that the caller names (tests, simulations), else the server's. That is
# the moment at which the statement came in, one for the whole statement, so that an index can be read by it.
NOW = "COALESCE(%(now)s::timestamptz, statement_timestamp())"
# For callers that have read a clock of their own: it counts as long as it is not ahead of the server's.
NOT_AHEAD = "LEAST(%(now)s::timestamptz, statement_timestamp())"


def database_now() -> datetime:
    """Return PostgreSQL's present moment as an aware UTC datetime, for what cannot be said inside of a statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        ((now,),) = cursor.fetchall()
    moment: datetime = now
    return moment.astimezone(UTC)
