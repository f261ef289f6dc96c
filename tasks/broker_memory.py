"""Whether the broker still knows what it was told: a key of its own stands as long as its memory does.

A broker that came back empty has lost every message at once. To find that out row by row would take as long as the queue is
full; so, once the key is missing, every row that was rung for until then is rung for again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django_redis import get_redis_connection

from apps.core.bell import QUIET_S
from apps.core.database_clock import database_now

log = structlog.get_logger(__name__)

KEY = f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}memory"
WHOLE = "whole"
# The broker may have forgotten again since the moment was read: then that is still to be made up for.
MAKE_WHOLE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) end"


def forgotten_until() -> datetime | None:
    """Return the moment up to which every bell was lost and none was rung again yet; None when the broker remembers.

    It may lie a second ahead: so long, callers that found the broker away do not try it again. Raises redis errors.
    """
    server: Any = get_redis_connection("strict")
    noted = server.get(KEY)
    if noted is None:
        log.warning("broker_knows_nothing")
        server.set(KEY, (database_now() + timedelta(seconds=QUIET_S)).isoformat(), nx=True)
        return None
    return None if noted.decode() == WHOLE else datetime.fromisoformat(noted.decode())


def made_up_for(moment: datetime) -> None:
    """Note that the bells that were lost until then were rung again. Raises redis errors."""
    server: Any = get_redis_connection("strict")
    server.eval(MAKE_WHOLE, 1, KEY, moment.isoformat(), WHOLE)
