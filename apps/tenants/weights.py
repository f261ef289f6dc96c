"""What each tenant weighs in paced queues, as this process last read it: to send a message asks no database."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import structlog
from django.db import DatabaseError, InterfaceError

from apps.core import clock
from apps.tenants import selectors

log = structlog.get_logger(__name__)

READ_EVERY_S = 10.0


class Weights:
    """The weights of all tenants, read in one statement, at most once in READ_EVERY_S."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_s = float("-inf")
        self._known: Mapping[str, int] = {}

    def of(self, tenant_id: str) -> int:
        """Return what the tenant weighs; 1 for one that is not known. While the database is away the last reading holds."""
        with self._lock:
            if clock.monotonic_s() - self._read_s >= READ_EVERY_S:
                self._read_s = clock.monotonic_s()
                self._read()
            return self._known.get(tenant_id, 1)

    def _read(self) -> None:
        try:
            self._known = selectors.queue_weights()
        except (DatabaseError, InterfaceError) as error:
            log.warning("queue_weights_not_read", error=type(error).__name__)


def weight_of(tenant_id: str) -> int:
    """Return what the tenant weighs, for this process; see `Weights.of`. What belongs to no tenant weighs 1."""
    return _weights.of(tenant_id) if tenant_id else 1


_weights = Weights()
